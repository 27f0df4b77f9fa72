import { isDeepStrictEqual } from 'node:util'
import type { Shown } from '../clients/app.ts'
import type { Check } from './index.ts'

/** At rest, every client, the views, and a hub that knows nothing but the log show what follows from the log. */
export const convergence: Check = (_, inspection) => {
  for (const { account, model, shown } of inspection?.accounts ?? [])
    for (const [who, picture] of shown)
      for (const difference of differences(model, picture)) return `${who} of ${account} shows other ${difference}`
  return undefined
}

/** What one picture of an account has that another has not, table by table. */
export function differences(wanted: Shown, found: Shown): string[] {
  return (['books', 'settings', 'devices', 'positions', 'annotations', 'files', 'conflicts'] as const).flatMap(name => {
    const [all, own] = [wanted[name], found[name]]
    const difference = all && own && differenceIn(all, own)
    return difference === undefined ? [] : [`${name}: ${difference}`]
  })
}

function differenceIn(wanted: Shown['books'], found: Shown['books']): string | undefined {
  if (isDeepStrictEqual(wanted, found)) return undefined
  const all = new Map(wanted)
  const own = new Map(found)
  for (const id of new Set([...all.keys(), ...own.keys()]))
    if (!isDeepStrictEqual(all.get(id), own.get(id)))
      return `${id} is ${JSON.stringify(own.get(id))}, and not ${JSON.stringify(all.get(id))}`
  return 'another order'
}
