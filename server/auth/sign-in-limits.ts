import { createHash } from 'node:crypto'
import { isIP, isIPv6 } from 'node:net'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { HubError } from '../../protocol/index.ts'
import type { RandomBytes } from '../core/ports.ts'

export interface SignInLimitOptions {
  readonly randomBytes: RandomBytes
  /**
   * Failures that one address may have within the window. Behind a proxy that hides addresses, all people share them.
   * @default 50
   */
  readonly failuresPerAddress?: number
  /**
   * Failures that one account name may have within the window, from all addresses together. Fewer makes guessing harder, and makes it
   * easier to keep someone from signing in; devices that have a token are not concerned.
   * @default 10
   */
  readonly failuresPerAccount?: number
  /**
   * From the first failure to the moment when they are forgotten.
   * @default 900_000 (15 minutes)
   */
  readonly windowMs?: number
  /** Is told of each failure, and where it came from. */
  readonly onFailure?: (address: string) => void
}

/** Who is trying. */
export interface SignInFrom {
  /** The other end's address. IPv6 counts by its /64, which is what one customer has. */
  readonly address: string
  /** Where it comes from, for the log, where it is counted by something else. */
  readonly remote?: string
  /** The name that was given, whether there is such an account or not. Left out when the try names none, as a pairing code does. */
  readonly account?: string
}

export interface SignInLimits {
  /**
   * Runs `check` unless its address or account has failed too often, and gives its result back. Undefined and false count as a failure,
   * from before the check begins, so that many at once get no further than one by one. Anything else is a success: it clears the account's
   * failures and costs the address nothing. A check that throws counts as neither.
   *
   * @param recall what is known to be right without a check, for clients that send their secret with every request: others' failures with the account's name
   * do not hold it back. Those of its own address do, or one could guess at what is remembered without end
   * @throws HubError `rate-limited` with `retryAfterMs`, before `check` is called; and whatever `check` throws
   */
  attempt<T>(from: SignInFrom, check: () => T | Promise<T>, recall?: () => T | undefined): Promise<T>
}

/** Holds back those who guess passwords and pairing codes, before any hash is computed for them. Memory is bounded whatever comes in. */
export function createSignInLimits({
  randomBytes,
  failuresPerAddress = 50,
  failuresPerAccount = 10,
  windowMs = 900_000,
  onFailure
}: SignInLimitOptions): SignInLimits {
  const byAddress = new RateLimiterMemory({ points: failuresPerAddress, duration: windowMs / 1_000 })
  const byAccount = new RateLimiterMemory({ points: failuresPerAccount, duration: windowMs / 1_000 })
  const secret = randomBytes(32)

  /**
   * One of 65,536 counters. Two names may share one, and none can tell which do; keeping a counter for each name would let a flood of
   * names fill the memory or push the others' counts out of it.
   */
  const slot = (text: string): string => createHash('sha256').update(secret).update(text).digest().readUInt16BE().toString()

  return {
    async attempt(from, check, recall) {
      const address = slot(addressGroup(from.address))
      const account = from.account === undefined ? undefined : slot(from.account.normalize('NFKC').toLowerCase())
      // The address first: one that is held back must not go on using up other people's tries.
      await countFailure(byAddress, address)
      const recalled = recall?.()
      if (recalled !== undefined && recalled !== false) {
        await takeBack(byAddress, address)
        return recalled
      }
      if (account !== undefined) await countFailure(byAccount, account)
      const giveBack = async (): Promise<void> => {
        await takeBack(byAddress, address)
        if (account !== undefined) await takeBack(byAccount, account)
      }
      let result
      try {
        result = await check()
      } catch (error) {
        await giveBack()
        throw error
      }
      if (result !== undefined && result !== false) {
        await takeBack(byAddress, address)
        if (account !== undefined) await byAccount.delete(account)
      } else onFailure?.(from.remote ?? from.address)
      return result
    }
  }
}

/** What an address is counted as: IPv4 as it is, also when it is mapped into IPv6; IPv6 by its first 64 bits; other text as it is. */
export function addressGroup(address: string): string {
  const bare = address.replace(/%.*$/s, '')
  if (isIP(bare) === 0 || !isIPv6(bare)) return bare
  // The URL parser writes every spelling of an address in one way.
  const [left = '', right] = new URL(`http://[${bare}]`).hostname.slice(1, -1).split('::')
  const head = left === '' ? [] : left.split(':')
  const tail = right === undefined || right === '' ? [] : right.split(':')
  const groups = [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail].map(group => parseInt(group, 16))
  if (groups.slice(0, 5).every(group => group === 0) && groups[5] === 0xffff)
    return groups
      .slice(6)
      .flatMap(group => [group >> 8, group & 255])
      .join('.')
  return `${groups
    .slice(0, 4)
    .map(group => group.toString(16))
    .join(':')}::/64`
}

async function countFailure(limiter: RateLimiterMemory, key: string): Promise<void> {
  try {
    await limiter.consume(key)
  } catch (error) {
    if (!(error instanceof RateLimiterRes)) throw error
    throw new HubError('rate-limited', '', { retryAfterMs: Math.max(1, error.msBeforeNext) })
  }
}

/** Takes one failure back, and never more than there are: a count below zero would be free tries. */
async function takeBack(limiter: RateLimiterMemory, key: string): Promise<void> {
  const count = await limiter.get(key)
  if (count !== null && count.consumedPoints > 0) await limiter.reward(key)
}
