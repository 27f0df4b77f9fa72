import { map } from '../../../protocol/index.ts'
import type { Households } from './households.ts'
import { clientStatus, seenResponse, statusPieces } from './pull-status.ts'
import { Refused } from './refusals.ts'
import { mustBeCaller } from './registration.ts'
import { service, text, withToken, type Service } from './services.ts'

/** What devices ask about their family, and about themselves. */
export const statusServices = (households: Households): Record<string, Service> => ({
  '/sync/pull-status': service(map({ deviceAuthToken: text, status: clientStatus }), async ({ deviceAuthToken, status }) => {
    const caller = await mustBeCaller(households, deviceAuthToken)
    const { account, device } = caller
    const family = households.readings.of(account)
    const seen = seenResponse(family, device, status.kr)
    // What the client says that it has is not sent again, whether it could be told so or not.
    if (family.get('keyResponses', device)?.responses.some(({ srvSeq }) => srvSeq <= seen))
      await households.act(caller, { type: 'ACK_KEY_RESPONSES', deviceId: device, upTo: Math.floor(seen) })
    const asking = { device, key: () => households.keyOf(caller) }
    return households.telling.tell(caller, statusPieces(family, asking, status))
  }),
  '/sync/report-removed': service(withToken, async ({ deviceAuthToken }) => {
    if (!(await households.reportRemoved(deviceAuthToken))) throw new Refused(401)
    return { ok: true }
  }),
  '/sync/is-device-removed': service(withToken, async ({ deviceAuthToken }) => ({
    isDeviceRemoved: await households.tokens.isRemoved(deviceAuthToken)
  }))
})
