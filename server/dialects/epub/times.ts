import { toldOf } from '../../core/tellings.ts'
import type { Views } from '../../core/views.ts'
import { usOfDate } from './dates.ts'
import type { Exchange } from './exchange.ts'

/** Times that were answered to one device, the newest last. */
const ITEM = 'answered'
const MAX_TIMES = 8
/** A client may keep its time less exactly than the hub gave it: to a millisecond, or to a three-hundredth of a second, up or down. */
const ROUNDED_US = 5_000

const timesOf = (views: Views, device: string): readonly number[] => {
  const times = toldOf(views, device, ITEM, Infinity)
  return Array.isArray(times) ? (times as number[]) : []
}

/**
 * How far a device has got, by what it says. The time that it was answered and means: the very one, or else the oldest that it may have rounded, or else the newest before. So a time that it rounded, or took from
 * its own clock or from `ServerDateTime`, skips nothing, whatever answers were lost. One that was never answered any such time is taken at its word, unless that is a time which the log has not come to.
 * @param date what it says; null or the first day of the year 1 for nothing
 */
export function sinceOf(views: Views, device: string, headUs: number, date: string | null | undefined): number {
  const saidUs = date ? usOfDate(date) : 0
  if (!(saidUs > 0)) return 0
  const times = timesOf(views, device).filter(timeUs => timeUs <= headUs)
  const answered =
    times.find(timeUs => timeUs === saidUs) ??
    times.find(timeUs => Math.abs(timeUs - saidUs) <= ROUNDED_US) ??
    times.findLast(timeUs => timeUs <= saidUs)
  return answered ?? (saidUs <= headUs ? saidUs : 0)
}

/** How far a device has got at most: for calls that do not say. */
export const lastAnswered = (views: Views, device: string): number => timesOf(views, device).at(-1) ?? 0

/** The device is about to be answered this time. */
export function answering(exchange: Exchange, untilUs: number): void {
  const times = timesOf(exchange.views, exchange.device)
  if (times.at(-1) === untilUs) return
  const others = times.filter(timeUs => timeUs < untilUs)
  exchange.keep(ITEM, [...others, untilUs].slice(-MAX_TIMES))
}
