import { map } from '../../../protocol/index.ts'
import type { Households } from './households.ts'
import { clientStatus, statusPieces } from './pull-status.ts'
import { Refused } from './refusals.ts'
import { mustBeCaller } from './registration.ts'
import { service, text, withToken, type Service } from './services.ts'

/** What devices ask about their family, and about themselves. */
export const statusServices = (households: Households): Record<string, Service> => ({
  '/sync/pull-status': service(map({ deviceAuthToken: text, status: clientStatus }), async ({ deviceAuthToken, status }) => {
    const caller = await mustBeCaller(households, deviceAuthToken)
    const { account, device } = caller
    const { kr = 0 } = status
    const waiting = households.readings.of(account).get('keyResponses', device)?.responses
    // What the client says that it has is not sent again, whether it could be told so or not.
    if (waiting?.some(({ srvSeq }) => srvSeq <= kr))
      await households.act(caller, {
        type: 'ACK_KEY_RESPONSES',
        deviceId: device,
        upTo: Math.min(Math.floor(kr), Number.MAX_SAFE_INTEGER)
      })
    const asking = { device, key: () => households.keyOf(caller) }
    return households.telling.tell(caller, statusPieces(households.readings.of(account), asking, status))
  }),
  '/sync/report-removed': service(withToken, async ({ deviceAuthToken }) => {
    if (!(await households.reportRemoved(deviceAuthToken))) throw new Refused(401)
    return { ok: true }
  }),
  '/sync/is-device-removed': service(withToken, async ({ deviceAuthToken }) => ({
    isDeviceRemoved: await households.tokens.isRemoved(deviceAuthToken)
  }))
})
