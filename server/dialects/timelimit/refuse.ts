import { HubError, type ErrorCode } from '../../../protocol/index.ts'

/** Refuses an action. @throws HubError always */
export function refuse(code: ErrorCode, why: string): never {
  throw new HubError(code, why)
}

/** @throws HubError `quota-exceeded` when there are as many as there may be */
export function mustHaveRoom(count: number, most: number, what: string): void {
  if (count >= most) refuse('quota-exceeded', `a family has at most ${most} ${what}`)
}
