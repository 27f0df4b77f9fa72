import type { Check } from './index.ts'

/** The hub logs no failure of its own, and writes its log one change behind the other. */
export const sound: Check = ({ happenings }) => {
  for (const happening of happenings) if (happening.is === 'fault') return happening.what
  return undefined
}
