import { isDeepStrictEqual } from 'node:util'
import type { Shown } from '../clients/app.ts'
import type { Check } from './index.ts'

/** At rest, every client, the views, and a hub that knows nothing but the log show what follows from the log. */
export const convergence: Check = (_, inspection) => {
  for (const { account, model, shown } of inspection?.accounts ?? [])
    for (const [who, picture] of shown)
      for (const name of ['books', 'settings', 'devices', 'positions', 'annotations'] as const) {
        const difference = differenceOf(model[name], picture[name])
        if (difference !== undefined) return `${who} of ${account} shows other ${name}: ${difference}`
      }
  return undefined
}

function differenceOf(wanted: Shown['books'], found: Shown['books']): string | undefined {
  if (isDeepStrictEqual(wanted, found)) return undefined
  const all = new Map(wanted)
  const own = new Map(found)
  for (const id of new Set([...all.keys(), ...own.keys()]))
    if (!isDeepStrictEqual(all.get(id), own.get(id)))
      return `${id} is ${JSON.stringify(own.get(id))}, and not ${JSON.stringify(all.get(id))}`
  return 'another order'
}
