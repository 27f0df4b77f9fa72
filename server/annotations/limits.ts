import { HubError } from '../../protocol/index.ts'

/** A file of annotations. Kindles that were used for a decade have some megabytes. */
export const MAX_FILE_BYTES = 33_554_432
/** Annotations in one file. */
export const MAX_ANNOTATIONS = 100_000
/** Books in one file. */
export const MAX_BOOKS = 100_000
/** Of JSON: far more than what the library can keep, and than what others have been seen to write. */
export const MAX_JSON_DEPTH = 64
/** Things that could not be understood are named, up to so many. */
export const MAX_LEFT_OUT = 1_000

/** A file that cannot be read. Nothing of it is taken. */
export const badFile = (what: string): HubError => new HubError('bad-request', what)
