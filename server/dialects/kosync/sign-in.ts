import { createHash } from 'node:crypto'
import { HubError } from '../../../protocol/index.ts'
import { foldName, type AccountDirectory, type AccountEntry } from '../../auth/accounts.ts'
import type { SignInLimits } from '../../auth/sign-in-limits.ts'
import type { SyncKeys } from '../../auth/sync-keys.ts'

export interface SignInParts {
  readonly directory: AccountDirectory
  readonly syncKeys: SyncKeys
  readonly limits: SignInLimits
}

/** What a request says about who asks. */
interface Credentials {
  readonly name: string
  /** What may be the key: one of these. */
  readonly keys: readonly string[]
}

/** What KOReader sends in the place of a password: its MD5, in lower-case hexadecimal digits. */
export const keyOfPassword = (password: string): string => createHash('md5').update(password).digest('hex')

/**
 * The account that a request's headers name with its key. No headers, a name that is none and a wrong key look the same.
 * @param address the sender's
 * @throws HubError `unauthenticated`, `rate-limited`, `overloaded`
 */
export type SignIn = (header: (name: string) => string | undefined, address: string) => Promise<AccountEntry>

export function createSignIn({ directory, syncKeys, limits }: SignInParts): SignIn {
  /** Several readers of one account often come at once, and are one try. */
  const underWay = new Map<string, Promise<boolean>>()
  const check = async (account: string | undefined, { name, keys }: Credentials, address: string): Promise<boolean> => {
    // Counted apart from the tries of passwords: a reader with an old key must not keep people out.
    return limits.attempt(
      { address, account: `kosync ${name}` },
      async () => {
        for (const key of keys) if (await syncKeys.verify(account, key)) return true
        return false
      },
      () => account !== undefined && keys.some(key => syncKeys.recalls(account, key))
    )
  }
  return async (header, address) => {
    const credentials = credentialsOf(header)
    if (credentials === undefined) throw new HubError('unauthenticated')
    const entry = directory.find(credentials.name)
    const asked = JSON.stringify([address, credentials])
    const checking = underWay.get(asked) ?? check(entry?.id, credentials, address)
    underWay.set(asked, checking)
    const isRight = await checking.finally(() => underWay.delete(asked))
    if (!isRight || entry === undefined) throw new HubError('unauthenticated')
    return entry
  }
}

/** Of the headers of the API, else of HTTP's own. */
function credentialsOf(header: (name: string) => string | undefined): Credentials | undefined {
  const [user, key] = [header('x-auth-user'), header('x-auth-key')]
  if (user !== undefined || key !== undefined) return credentials(utf8(user ?? ''), [utf8(key ?? '')])
  const basic = /^Basic ([A-Za-z0-9+/]+=*)$/i.exec(header('authorization') ?? '')?.[1]
  const [, name, password] = /^([^:]*):(.*)$/s.exec(Buffer.from(basic ?? '', 'base64').toString()) ?? []
  if (name === undefined || password === undefined) return undefined
  const isDigest = /^[0-9a-f]{32}$/.test(password)
  return credentials(name, isDigest ? [password, keyOfPassword(password)] : [keyOfPassword(password)])
}

const MAX_KEY_BYTES = 256

function credentials(user: string, keys: readonly string[]): Credentials | undefined {
  if (user.includes(':') || keys.some(key => key === '' || Buffer.byteLength(key) > MAX_KEY_BYTES)) return undefined
  try {
    return { name: foldName(user), keys }
  } catch (error) {
    if (error instanceof HubError) return undefined
    throw error
  }
}

/** Bytes of a header come as Latin-1, and readers send UTF-8. */
function utf8(value: string): string {
  const text = Buffer.from(value, 'latin1').toString()
  return text.includes('\ufffd') ? value : text
}
