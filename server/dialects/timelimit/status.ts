import { map } from '../../../protocol/index.ts'
import type { Clock } from '../../core/ports.ts'
import type { Households } from './households.ts'
import { clientStatus, statusPieces } from './pull-status.ts'
import { Refused } from './refusals.ts'
import { mustBeCaller } from './registration.ts'
import { service, text, withToken, type Service } from './services.ts'
import { told } from './telling.ts'

/** What devices ask about their family, and about themselves. */
export const statusServices = (households: Households, clock: Clock): Record<string, Service> => ({
  '/sync/pull-status': service(map({ deviceAuthToken: text, status: clientStatus }), async ({ deviceAuthToken, status }) => {
    const caller = await mustBeCaller(households, deviceAuthToken)
    const { account, device } = caller
    const { kr = 0 } = status
    const waiting = households.readings.of(account).get('keyResponses', device)?.responses
    // What the client says that it has is not sent again, whether it could be told so or not.
    if (waiting?.some(({ srvSeq }) => srvSeq <= kr))
      await households.act(caller, { type: 'ACK_KEY_RESPONSES', deviceId: device, upTo: Math.floor(kr) })
    return told(
      account,
      clock,
      statusPieces(households.readings.of(account), { device, key: () => households.keyOf(caller) }, status)
    )
  }),
  '/sync/report-removed': service(withToken, async ({ deviceAuthToken }) => {
    if (!(await households.reportRemoved(deviceAuthToken))) throw new Refused(401)
    return { ok: true }
  }),
  '/sync/is-device-removed': service(withToken, async ({ deviceAuthToken }) => ({
    isDeviceRemoved: await households.tokens.isRemoved(deviceAuthToken)
  }))
})
