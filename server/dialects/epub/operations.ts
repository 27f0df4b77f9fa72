import type { Operation } from './operation.ts'

/** What the operations work on. */
export interface EpubParts {}

/** The operations of the API. */
export const createOperations = (_parts: EpubParts): readonly Operation[] => []
