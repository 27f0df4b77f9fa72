import { HubError } from '../../../protocol/index.ts'
import { Refusal } from './refusals.ts'
import type { SignInParts } from './sign-in.ts'

/**
 * Makes an account with nothing but a key for this dialect. One that is there already stays as it is, whether it has a key or not.
 * @param address the sender's, of which each try counts as one that failed: so many accounts nobody makes at once
 * @returns the name, as it was given
 * @throws Refusal, HubError `rate-limited`
 */
export async function register(
  { directory, syncKeys, limits }: SignInParts,
  { username, password }: Readonly<Record<string, unknown>>,
  address: string
): Promise<string> {
  if (typeof username !== 'string' || username.includes(':')) throw new Refusal('bad-fields')
  if (typeof password !== 'string' || password === '' || Buffer.byteLength(password) > 256) throw new Refusal('bad-fields')
  const isTaken = directory.find(username) !== undefined
  await limits.attempt({ address }, () => false)
  if (isTaken) throw new Refusal('user-exists')
  try {
    const { id } = await directory.add(username)
    await syncKeys.set(id, password)
  } catch (error) {
    if (error instanceof HubError && error.code === 'already-exists') throw new Refusal('user-exists')
    throw error
  }
  return username
}
