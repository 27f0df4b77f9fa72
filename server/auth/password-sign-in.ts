import { foldName, type AccountDirectory, type AccountEntry } from './accounts.ts'
import type { SignInLimits } from './sign-in-limits.ts'

/** What a request signs in with. */
export interface PasswordSignIn {
  /** The account's, in any spelling. */
  readonly name: string
  readonly password: string
  /** The sender's. */
  readonly address: string
  /** It comes with each request: one that was right a short while ago is let in while the name is held back. */
  readonly isRepeated?: boolean
}

/**
 * The account that a name and a password belong to; undefined when they do not. A wrong one counts against the sender and against the name.
 * @throws HubError `bad-request` for what can be no name or password; `rate-limited`; `overloaded` when too many wait to be checked
 */
export async function signInByPassword(
  { directory, limits }: { readonly directory: AccountDirectory; readonly limits: SignInLimits },
  { name, password, address, isRepeated = false }: PasswordSignIn
): Promise<AccountEntry | undefined> {
  const account = foldName(name)
  return limits.attempt(
    { address, account },
    () => directory.signIn(account, password),
    () => (isRepeated ? directory.recall(account, password) : undefined)
  )
}
