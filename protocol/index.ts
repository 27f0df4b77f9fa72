export * from './version.ts'
export * from './limits.ts'
export * from './errors.ts'
export * from './paths.ts'
export * from './shapes.ts'
export * from './actions.ts'
export * from './frames.ts'
export * from './values.ts'
export * from './scan.ts'
export { applyUpdate, decodeUpdate, diffUpdate, heldBytesOf, SparingDecoder } from './sparing-decoder.ts'
export * from './codec.ts'
export * from './run.ts'
export * from './merge.ts'
export * from './text-difference.ts'
export * from './plain-value.ts'
export * from './annotation-edits.ts'
export * from './split-update.ts'
export {
  CarefulDecoder,
  ClientIds,
  dependenciesOf,
  inspectStateVector,
  mustHoldWholeNumbers,
  type Spans,
  type Struct
} from './untrusted-update.ts'
export type * from './connection.ts'
