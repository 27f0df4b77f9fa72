import { dateOfUs } from './dates.ts'
import { changesFor } from './answer.ts'
import { Exchange } from './exchange.ts'
import type { SynchronizationModel } from './model.ts'
import { failed, succeeded, type ApiResult, type Call } from './operation.ts'
import { isPush, itemsIn, MAX_ITEMS, push } from './push.ts'
import { callerOf, type Caller } from './sign-in.ts'
import { sinceOf } from './times.ts'
import type { EpubParts } from './operations.ts'

export const TOO_MANY = `at most ${MAX_ITEMS} items at once; send the rest with the next request`

/** The answer to a call that did what it could: what was refused stands in its errors, and the rest is done. */
export const answered = <T extends string>(result: ApiResult<T>, messages: readonly string[]): ApiResult<T> =>
  messages.length === 0
    ? result
    : { ...result, Errors: { ErrorsNumber: messages.length, Messages: messages, MessagesString: messages.join('\n') } }

/** Who calls, by what the model says of it. */
export const callerOfModel = (parts: EpubParts, call: Call<'SynchronizationModel'>): Promise<Caller> =>
  callerOf(parts, {
    token: call.token,
    address: call.address,
    account: call.body?.Account,
    application: call.body?.AccountApplicationId,
    applicationType: call.body?.ApplicationType
  })

/**
 * Takes what a device changed since it last asked, and tells what others did.
 *
 * @throws HubError what concerns the whole request: who asks is not let in, or there is no room to write
 */
export async function synchronize(
  parts: EpubParts,
  call: Call<'SynchronizationModel'>
): Promise<ApiResult<'SynchronizationModel'>> {
  const caller = await callerOfModel(parts, call)
  const model: SynchronizationModel = call.body ?? {}
  if (itemsIn(model) > MAX_ITEMS) return failed(400, TOO_MANY)
  return parts.oneByOne(caller, async () => {
    const { account, device } = caller
    const sinceUs = sinceOf(account.views, device, account.timeUs, model.LastSyncTimestamp)
    if (isPush(model)) parts.hub.mustTakeWrites()
    const exchange = new Exchange(caller, sinceUs, parts)
    await push(exchange, model)
    const told = await changesFor(exchange)
    const some = <T>(list: readonly T[]): readonly T[] | null => (list.length === 0 ? null : list)
    const result: SynchronizationModel = {
      Account: told.account,
      AccountCodes: some(told.codes),
      AccountApplicationId: model.AccountApplicationId ?? null,
      ApplicationType: model.ApplicationType ?? null,
      BookHtmlPages: some(told.pages),
      BookStyleSheets: some(told.styles),
      Markings: told.markings,
      Books: told.books,
      PopupSettings: told.popup,
      EPubHistoryActivities: told.activities,
      LastSyncTimestamp: model.LastSyncTimestamp ?? null,
      CurrentSyncTimestamp: dateOfUs(told.untilUs),
      ServerDateTime: dateOfUs(Math.floor(parts.clock.nowMs() * 1_000))
    }
    return answered(succeeded<'SynchronizationModel'>(result), exchange.messages)
  })
}
