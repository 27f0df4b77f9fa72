import { setFlagsFromString } from 'node:v8'
import { runInThisContext } from 'node:vm'

setFlagsFromString('--allow-natives-syntax')

/** Whether V8 keeps of an object's members whose names are small numbers only those that there are, and no room up to them. */
export const isSparse = runInThisContext('object => %HasDictionaryElements(object)') as (object: object) => boolean
