import { HubError, type ErrorCode } from '../../../protocol/index.ts'
import type { Acting } from './acting.ts'

/** Refuses an action. @throws HubError always */
export function refuse(code: ErrorCode, why: string): never {
  throw new HubError(code, why)
}

/** How many there may be for whoever acts: a child that limits itself leaves half to the parents, whose limits would find no room otherwise. */
export const roomFor = (most: number, by?: Acting): number => (by?.isSelfLimit === true ? Math.floor(most / 2) : most)

/** @throws HubError `quota-exceeded` when there are as many as there may be for whoever acts */
export function mustHaveRoom(count: number, most: number, what: string, by?: Acting): void {
  if (count >= roomFor(most, by)) refuse('quota-exceeded', `a family has at most ${most} ${what}`)
}
