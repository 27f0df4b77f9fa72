import { refuse } from '../refuse.ts'

/** Some bits of a number in the place of its own. @throws HubError `bad-action` when there are others among them */
export function replacedBits(before: number, modified: number, values: number): number {
  if ((values & ~modified) !== 0) refuse('bad-action', 'values has bits that are not modified')
  return (before & ~modified) | values
}
