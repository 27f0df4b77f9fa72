import { map, oneOf, opt, str, number, HubError } from '../../../protocol/index.ts'
import type { SignInLimits } from '../../auth/sign-in-limits.ts'
import { familyOf } from './family.ts'
import { id, passwordHash, passwordSalt } from './forms.ts'
import type { Households, Joined } from './households.ts'
import { isSame } from './integrity.ts'
import { foldMail } from './mail-codes.ts'
import { NOTHING, statusPieces } from './pull-status.ts'
import { Refused } from './refusals.ts'
import { service, text, withToken, type Service } from './services.ts'
import type { Json } from './telling.ts'
import type { Caller } from './tokens.ts'

const name = str(256, 1)
const newDevice = map({ model: str(256) })
const clientLevel = opt(number(-Number.MAX_VALUE, Number.MAX_VALUE))

export interface RegistrationParts {
  readonly households: Households
  /** Whether somebody who reads this address may sign in with it. */
  readonly mayUse: (mail: string) => boolean
  readonly limits: SignInLimits
}

/** How families are made, and devices come in and go. */
export function registrationServices(parts: RegistrationParts): Record<string, Service> {
  return { ...mailServices(parts), ...parentServices(parts), ...childServices(parts) }
}

/** The device of a token. @throws Refused 401 */
export async function mustBeCaller({ tokens, readings }: Households, token: string): Promise<Caller> {
  const caller = await tokens.find(token)
  if (caller === undefined || readings.of(caller.account).get('device', caller.device) === undefined) throw new Refused(401)
  return caller
}

function mailServices({ households, mayUse, limits }: RegistrationParts): Record<string, Service> {
  const { codes } = households
  return {
    '/auth/send-mail-login-code-v2': service(
      map({ mail: text, locale: text, deviceAuthToken: opt(text) }),
      async ({ mail: typed, locale, deviceAuthToken }, address) => {
        const mail = foldMail(typed)
        if (mail === undefined) throw new Refused(400)
        if (deviceAuthToken !== undefined) await mustBeCaller(households, deviceAuthToken)
        if (!mayUse(mail)) return { mailAddressNotWhitelisted: true }
        return { mailLoginToken: await codes.begin(mail, locale, address) }
      }
    ),
    '/auth/sign-in-by-mail-code': service(
      map({ mailLoginToken: text, receivedCode: text }),
      async ({ mailLoginToken, receivedCode }, address) => {
        let refusal: unknown
        const mailAuthToken = await limits.attempt({ address }, () => {
          try {
            return codes.finish(mailLoginToken, receivedCode)
          } catch (error) {
            refusal = error
            return undefined
          }
        })
        if (mailAuthToken === undefined) throw refusal
        return { mailAuthToken }
      }
    ),
    '/parent/get-status-by-mail-address': service(map({ mailAuthToken: text }), async ({ mailAuthToken }) => {
      const mail = codes.mailOf(mailAuthToken)
      const isKnown = (await households.parentOf(mail)) !== undefined
      return { status: isKnown ? 'with family' : 'without family', mail, canCreateFamily: true, alwaysPro: true }
    })
  }
}

function parentServices(parts: RegistrationParts): Record<string, Service> {
  const { households, limits } = parts
  const { codes } = households
  /** @throws Refused 401 unless the secret is that parent's; HubError `rate-limited` */
  const mustBeParent = async (caller: Caller, parent: string, secret: string, remote: string): Promise<void> => {
    if (isParentSignedIn(caller, parent, secret)) return
    const known = parentOf(caller, parent)
    // By device, and not by address: a child's that guesses shares it with the parents' at home, whom it is not to keep out.
    const device = `${caller.account.id}/${caller.device}`
    const isRight = await limits.attempt(
      { address: device, account: `${device} ${parent}`, remote },
      () => known !== undefined && known.secondHash !== '' && isSame(secret, known.secondHash)
    )
    if (!isRight) throw new Refused(401)
  }
  return {
    '/parent/create-family': service(
      map({
        mailAuthToken: text,
        parentPassword: map({ hash: passwordHash, secondHash: passwordHash, secondSalt: passwordSalt }),
        parentDevice: newDevice,
        deviceName: name,
        timeZone: str(64),
        parentName: name,
        clientLevel
      }),
      async ({ mailAuthToken, parentPassword: password, parentDevice, deviceName, timeZone, parentName, clientLevel = 0 }) => {
        const device = { name: deviceName, ...parentDevice }
        const joined = await codes.use(mailAuthToken, mail =>
          conflicts(households.create({ mail, name: parentName, timeZone, password }, device))
        )
        return answerTo(parts, joined, clientLevel)
      }
    ),
    '/parent/sign-in-into-family': service(
      map({ mailAuthToken: text, parentDevice: newDevice, deviceName: name, clientLevel }),
      async ({ mailAuthToken, parentDevice, deviceName, clientLevel = 0 }) => {
        const joined = await codes.use(mailAuthToken, async mail => {
          const found = await conflicts(households.signIn(mail, { name: deviceName, ...parentDevice }))
          if (found === undefined) throw new Refused(409)
          return found
        })
        return answerTo(parts, joined, clientLevel)
      }
    ),
    '/parent/create-add-device-token': service(
      map({ deviceAuthToken: text, parentId: text, parentPasswordSecondHash: text }),
      async ({ deviceAuthToken, parentId, parentPasswordSecondHash }, address) => {
        const caller = await mustBeCaller(households, deviceAuthToken)
        await mustBeParent(caller, parentId, parentPasswordSecondHash, address)
        const { words, device } = households.words.open(caller.account.id)
        return { token: words, deviceId: device }
      }
    ),
    '/parent/remove-device': service(
      map({ deviceAuthToken: text, parentUserId: text, parentPasswordSecondHash: text, deviceId: text }),
      async ({ deviceAuthToken, parentUserId, parentPasswordSecondHash, deviceId }, address) => {
        const caller = await mustBeCaller(households, deviceAuthToken)
        await mustBeParent(caller, parentUserId, parentPasswordSecondHash, address)
        if (id.fault(deviceId) !== undefined) throw new Refused(409)
        await conflicts(households.remove(caller, deviceId))
        return { ok: true }
      }
    )
  }
}

function childServices(parts: RegistrationParts): Record<string, Service> {
  const { households, limits } = parts
  return {
    '/child/add-device': service(
      map({ registerToken: text, deviceName: name, childDevice: newDevice, clientLevel }),
      async ({ registerToken, deviceName, childDevice, clientLevel = 0 }, address) => {
        const joining = await limits.attempt({ address }, () => households.words.redeem(registerToken))
        const account = joining && (await households.account(joining.account))
        if (account === undefined) throw new Refused(401)
        const device = { deviceId: joining!.device, name: deviceName, ...childDevice }
        return answerTo(parts, await conflicts(households.join(account, device)), clientLevel)
      }
    ),
    '/child/update-primary-device': service(
      map({ action: oneOf('set this device', 'unset this device'), currentUserId: text, authToken: text }),
      async ({ action, currentUserId, authToken }) => {
        const caller = await mustBeCaller(households, authToken)
        const family = familyOf(caller.account.views)
        const user =
          currentUserId === currentUserOf(caller) && currentUserId !== '' ? family.get('user', currentUserId) : undefined
        if (user === undefined) throw new Refused(409)
        const { currentDevice } = user.user
        const isOwn = currentDevice === caller.device
        if (action === 'unset this device' && !isOwn) throw new Refused(409)
        if (action === 'set this device' && currentDevice !== '' && !isOwn) return { status: 'assigned to other device' }
        const deviceId = action === 'set this device' ? caller.device : ''
        if (deviceId !== currentDevice)
          await conflicts(households.act(caller, { type: 'SET_PRIMARY_DEVICE', userId: currentUserId, deviceId }))
        return { status: 'success' }
      }
    ),
    '/child/logout-at-primary-device': service(withToken, async ({ deviceAuthToken }) => {
      const caller = await mustBeCaller(households, deviceAuthToken)
      const primary = familyOf(caller.account.views).get('user', currentUserOf(caller))?.user.currentDevice ?? ''
      if (primary === '' || primary === caller.device) throw new Refused(409)
      households.sockets.signOut(caller.account.id, primary)
      return { ok: true }
    })
  }
}

/** What a device that has come in is told. */
function answerTo({ households }: RegistrationParts, joined: Joined, level: number): Promise<Json> {
  const { account, device, token } = joined
  const asking = { device, key: () => households.keyOf(joined) }
  const status = statusPieces(familyOf(account.views), asking, { ...NOTHING, clientLevel: level })
  const pieces = function* (): Generator<string, void, void> {
    yield `{"deviceAuthToken":${JSON.stringify(token)},"ownDeviceId":${JSON.stringify(device)},"data":`
    yield* status
    yield '}'
  }
  return households.telling.tell(joined, pieces())
}

const currentUserOf = ({ account, device }: Caller): string =>
  familyOf(account.views).get('device', device)?.device.currentUserId ?? ''

/** The word `device` stands for a parent who uses the device and is not asked for the password there. */
const isParentSignedIn = (caller: Caller, parent: string, secret: string): boolean =>
  secret === 'device' &&
  parentOf(caller, parent) !== undefined &&
  currentUserOf(caller) === parent &&
  familyOf(caller.account.views).get('device', caller.device)!.device.isUserKeptSignedIn

function parentOf({ account }: Caller, parent: string) {
  const record = id.fault(parent) === undefined ? familyOf(account.views).get('user', parent) : undefined
  return record?.user.type === 'parent' ? record : undefined
}

/** What the family's own rules refuse is a conflict here. */
async function conflicts<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof HubError && CONFLICTS.has(error.code)) throw new Refused(409)
    throw error
  }
}

const CONFLICTS: ReadonlySet<string> = new Set(['already-exists', 'not-found', 'quota-exceeded', 'forbidden'])
