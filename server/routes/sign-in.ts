import { HubError, bool, checked, map, opt, str, type Infer } from '../../protocol/index.ts'
import type { AccountDirectory } from '../auth/accounts.ts'
import { deviceDescription, registerDevice, type DeviceDescription } from '../auth/devices.ts'
import type { Pairing } from '../auth/pairing.ts'
import { signInByPassword } from '../auth/password-sign-in.ts'
import type { SignInLimits } from '../auth/sign-in-limits.ts'
import type { Hub } from '../core/hub.ts'
import { mustBeLetIn, permits, refusalOfDevice } from '../core/policy.ts'
import type { Clock, RandomBytes } from '../core/ports.ts'
import { bearerTokenOf, type HttpApp } from '../transports/http.ts'

export interface SignInParts {
  readonly hub: Hub
  readonly directory: AccountDirectory
  readonly pairing: Pairing
  readonly limits: SignInLimits
  readonly clock: Clock
  readonly randomBytes: RandomBytes
  /** Where other devices find the hub, as far as it knows. */
  readonly urlsElsewhere: () => readonly string[]
}

const pairBody = map({ code: str(64, 1), ...deviceDescription })
const WRONG_CODE =
  'this pairing code is not valid: it is good once and for five minutes; make another with npx lectern device pair NAME'
const codeBody = map({ readOnly: opt(bool) })
const signInBody = map({ account: str(128, 1), password: str(256, 1), ...deviceDescription })

/**
 * How a device gets its token: `POST /api/v1/pair {code, name, app}` with a one-time code, and
 * `POST /api/v1/sign-in {account, password, name, app}` with a password. Both answer `{account, device, token}`.
 *
 * A device that may add others gets a code for one by `POST /api/v1/pairing-codes {readOnly}`, with its token: `{code, goodForMs, urls}`. It is good for
 * as long as that device is let in itself.
 */
export function mountSignIn(app: HttpApp, parts: SignInParts): void {
  const { hub, directory, pairing, limits, clock, randomBytes, urlsElsewhere } = parts
  const register = async (account: string | undefined, { name, app, readOnly = false }: DeviceDescription, refusal: string) => {
    if (account === undefined) throw new HubError('unauthenticated', refusal)
    return { account, ...(await registerDevice(await hub.ensureAccount(account), { name, app, readOnly }, randomBytes)) }
  }

  app.post('/api/v1/pair', async context => {
    const body: Infer<typeof pairBody> = checked('bad-request', pairBody, await readJson(context.req.raw), 'body')
    const opened = await limits.attempt({ address: context.get('address') }, async () => {
      const invitation = pairing.redeem(body.code)
      if (invitation?.by === undefined) return invitation
      const { views } = await hub.ensureAccount(invitation.account)
      return refusalOfDevice(views, invitation.by) === undefined ? invitation : undefined
    })
    return context.json(await register(opened?.account, { ...body, readOnly: opened?.readOnly ?? false }, WRONG_CODE))
  })

  app.post('/api/v1/pairing-codes', async context => {
    const bearer = await hub.authenticate(bearerTokenOf(context.env.incoming))
    const { account, actor, device } = bearer
    if (!permits(actor, 'manage-devices')) throw new HubError('forbidden', 'this device may only read')
    const { readOnly }: Infer<typeof codeBody> = checked('bad-request', codeBody, await readJson(context.req.raw), 'body')
    // It may have been cut off while the body came.
    mustBeLetIn(bearer)
    const { code, expiresAtMs } = pairing.open(account.id, readOnly, device)
    return context.json({ code, goodForMs: Math.floor(expiresAtMs - clock.nowMs()), urls: urlsElsewhere() })
  })

  app.post('/api/v1/sign-in', async context => {
    const body: Infer<typeof signInBody> = checked('bad-request', signInBody, await readJson(context.req.raw), 'body')
    const { account: name, password } = body
    const entry = await signInByPassword({ directory, limits }, { name, password, address: context.get('address') })
    return context.json(await register(entry?.id, body, 'the account or the password is not valid'))
  })
}

async function readJson(request: Request): Promise<unknown> {
  try {
    return await request.json()
  } catch {
    throw new HubError('bad-request', 'the body is not JSON')
  }
}
