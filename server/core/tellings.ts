import { encodeValue, type Plain } from '../../protocol/index.ts'
import type { Account } from './account.ts'
import type { TellingRecord } from './records.ts'
import type { Views } from './views.ts'

/** Each may hold a note of some 100 KB. */
const FORGOTTEN_AT_ONCE = 64

/**
 * What a device has of an item that it cannot read from the log itself: as the hub last told it, or as it last told the hub. A dialect whose clients send whole objects needs it, to know
 * which of their fields they changed.
 *
 * @param item what the dialect calls it; no control characters, 128 characters at most
 * @param sinceUs how far the device has got by its own word: what it was told later has not arrived
 */
export function toldOf(views: Views, device: string, item: string, sinceUs: number): Plain | undefined {
  return views.get('tellings', device, item)?.entries.findLast(([atUs]) => atUs <= sinceUs)?.[1]
}

/** Where the item is that the device was told of; undefined when it never was. */
export const locationOf = (views: Views, device: string, item: string): readonly string[] | undefined =>
  views.get('tellings', device, item)?.place

/** What a device is told of an item, or tells of it. */
export interface Told {
  readonly device: string
  readonly item: string
  /** How far the device has got by its own word. */
  readonly sinceUs: number
  /** How far it will have got with this. */
  readonly atUs: number
  readonly value: Plain
  /** Where the item is, such as a book and an annotation; without it, where it was. */
  readonly location?: readonly string[] | undefined
}

/**
 * Remembers what a device will have once it has got to `atUs`. What it had at `sinceUs` is kept beside it, in case the answer is lost and it comes once more from there; all else is forgotten.
 * Kept with the next commit that stores records, and counted as what the account takes.
 */
export function noteTold(account: Pick<Account, 'views' | 'heldBytes'>, told: Told): void {
  const { device, item, sinceUs, atUs, value } = told
  const { views } = account
  const known = views.get('tellings', device, item)
  const last = atUs > sinceUs ? known?.entries.findLast(([toldUs]) => toldUs <= sinceUs) : undefined
  const place = told.location ?? known?.place
  const telling: TellingRecord = {
    entries: [...(last === undefined ? [] : [last]), [atUs, value]],
    ...(place !== undefined && { place })
  }
  views.put('tellings', [device, item], telling)
  account.heldBytes += bytesOf(telling) - (known === undefined ? 0 : bytesOf(known))
}

/** Forgets all that a device was told, a part with each commit. Resolves once that is durable. */
export async function forgetTold(account: Account, device: string): Promise<void> {
  for (;;) {
    const page = account.views.range('tellings', [device], '', FORGOTTEN_AT_ONCE)
    if (page.length === 0) return
    for (const [item, telling] of page) {
      account.views.remove('tellings', device, item)
      account.heldBytes -= bytesOf(telling)
    }
    account.storeRecords()
    await account.settled()
  }
}

const bytesOf = (telling: TellingRecord): number => encodeValue(telling as unknown as Plain).length
