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
export const placeOf = (views: Views, device: string, item: string): TellingRecord['place'] =>
  views.get('tellings', device, item)?.place

/**
 * Remembers what a device will have once it has got to `atUs`. What it had at `sinceUs` is kept beside it, in case the answer is lost and it comes once more from there; all else is forgotten.
 * Kept with the next commit that stores records, and counted as what the account takes.
 *
 * @param place where the item is
 */
export function remember(
  account: Pick<Account, 'views' | 'heldBytes'>,
  device: string,
  item: string,
  sinceUs: number,
  atUs: number,
  value: Plain,
  place?: TellingRecord['place']
): void {
  const { views } = account
  const known = views.get('tellings', device, item)
  const last = atUs > sinceUs ? known?.entries.findLast(([toldUs]) => toldUs <= sinceUs) : undefined
  const where = place ?? known?.place
  const telling: TellingRecord = {
    entries: [...(last === undefined ? [] : [last]), [atUs, value]],
    ...(where !== undefined && { place: where })
  }
  views.put('tellings', [device, item], telling)
  account.heldBytes += bytesOf(telling) - (known === undefined ? 0 : bytesOf(known))
}

/** Forgets all that a device was told, a part with each commit. Resolves once that is durable. */
export async function forget(account: Account, device: string): Promise<void> {
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
