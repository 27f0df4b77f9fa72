import type { Plain } from '../../../protocol/index.ts'
import { readXml } from '../../files/xml.ts'
import { NO_DATE, parseDate } from './dates.ts'
import { MAX_EXTRA_LENGTH } from './formats/extra.ts'
import { shapeOf, type Shape } from './formats/types.ts'
import { NO_GUID } from './formats/write-json.ts'
import { elementText } from './formats/xml-text.ts'
import { EXTRA, isMembers, type Members } from './members.ts'
import type { ModelName, ScalarName } from './model.ts'

const GUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/

const SCALARS: { readonly [S in ScalarName]: (value: Plain) => boolean } = {
  int: Number.isSafeInteger,
  byte: value => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 255,
  bool: value => typeof value === 'boolean',
  guid: value => typeof value === 'string' && GUID.test(value),
  date: value => typeof value === 'string' && parseDate(value) === value,
  application: value => typeof value === 'string' || Number.isSafeInteger(value)
}

const DEFAULTS: { readonly [S in ScalarName]: Plain } = {
  int: 0,
  byte: 0,
  bool: false,
  guid: NO_GUID,
  date: NO_DATE,
  application: 0
}

/**
 * What of kept members a model can have, as it is. Any device of the account may have written them, in any way: what is of another type would break the answer, and counts as not there.
 */
export function fitting(model: ModelName, value: unknown): Members {
  const shape = shapeOf(model)
  return isMembers(value) && shape.kind === 'model' ? fittingModel(shape, value) : {}
}

/** The same with every member: those that are not given as an answer has them. */
export function whole(model: ModelName, given: Members): Members {
  const shape = shapeOf(model)
  const all: Members = {}
  if (shape.kind === 'model') for (const { name, shape: its } of shape.members.values()) all[name] = given[name] ?? defaultOf(its)
  return EXTRA in given ? { ...all, [EXTRA]: given[EXTRA]! } : all
}

const defaultOf = (shape: Shape): Plain => (shape.kind !== 'scalar' || shape.isNullable ? null : DEFAULTS[shape.scalar])

function fittingModel({ members }: Extract<Shape, { kind: 'model' }>, value: Members): Members {
  const found: Members = {}
  for (const [name, its] of Object.entries(value)) {
    const shape = members.get(name)?.shape
    const fit = name === EXTRA ? fittingExtras(its) : shape === undefined ? undefined : fittingValue(shape, its)
    if (fit !== undefined) found[name] = fit
  }
  return found
}

function fittingValue(shape: Shape, value: Plain): Plain | undefined {
  if (shape.kind === 'scalar') return (value === null ? shape.isNullable : SCALARS[shape.scalar](value)) ? value : undefined
  if (value === null) return null
  if (shape.kind === 'text') return typeof value === 'string' ? value : undefined
  if (shape.kind === 'model') return isMembers(value) ? fittingModel(shape, value) : undefined
  return Array.isArray(value)
    ? value.map(item => fittingValue(shape.item, item) ?? null).filter(item => item !== null)
    : undefined
}

function fittingExtras(value: Plain): Plain | undefined {
  if (!Array.isArray(value)) return undefined
  const fit = value.filter(entry => {
    const [name, text] = Array.isArray(entry) ? entry : []
    return typeof name === 'string' && typeof text === 'string' && text.length <= MAX_EXTRA_LENGTH && isExtra(text)
  })
  return fit.length === 0 ? undefined : fit
}

/** One value of JSON, or one element of XML, and nothing beside it. */
function isExtra(text: string): boolean {
  try {
    if (text.startsWith('<')) return elementText(readXml(Buffer.from(text), 'member'), MAX_EXTRA_LENGTH) === text
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
