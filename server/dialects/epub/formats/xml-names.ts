import type { TypeName } from '../model.ts'

/** What namespaces of data contracts begin with. */
export const CONTRACT = 'http://schemas.datacontract.org/2004/07/'
/** The namespace of `ApiResult` and `ErrorModel`. */
export const RESULT_NAMESPACE = `${CONTRACT}CSAeReader.Common.API`
/** The namespace of the models. */
export const MODEL_NAMESPACE = `${RESULT_NAMESPACE}.Objects`
export const INSTANCE_NAMESPACE = 'http://www.w3.org/2001/XMLSchema-instance'
export const ARRAYS_NAMESPACE = 'http://schemas.microsoft.com/2003/10/Serialization/Arrays'

/** The digest of the models' namespace that .NET puts behind the names of generic types. */
const DIGEST = '8WPzUjNG'

/** What a type is called where it is the argument of a generic one: `int`, `ArrayOfposition`. */
export function contractNameOf(type: TypeName): string {
  if (type.endsWith('[]')) return `ArrayOf${contractNameOf(type.slice(0, -2) as TypeName)}`
  return type === 'bool' ? 'boolean' : type.replace('?', '')
}

/** What the answer's root is called: `ApiResultOfposition8WPzUjNG`. Types that XML itself knows have no digest. */
export const resultNameOf = (type: TypeName): string =>
  `ApiResultOf${contractNameOf(type)}${/^(?:string|int|byte|bool|guid|date)/.test(type) ? '' : DIGEST}`

/** What a name may begin with, beside `_`. @see XML 1.0, 2.3 */
const LETTERS =
  'A-Za-z\\u00c0-\\u00d6\\u00d8-\\u00f6\\u00f8-\\u02ff\\u0370-\\u037d\\u037f-\\u1fff\\u200c\\u200d\\u2070-\\u218f\\u2c00-\\u2fef\\u3001-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\ufffd'
const NEVER = new RegExp(`_(?=x[0-9A-Fa-f]{4}_)|[^${LETTERS}0-9_.-]|^[0-9.-]`, 'g')

/**
 * A name that XML can have: what cannot stand in one is written as `_x005B_`, and so is a `_` that would be taken for the begin of such.
 * @see XmlConvert.EncodeLocalName
 */
export const encodeName = (name: string): string => name.replace(NEVER, unit => escapeUnit(unit.charCodeAt(0)))

const escapeUnit = (unit: number): string => `_x${unit.toString(16).toUpperCase().padStart(4, '0')}_`

/** The name that was written so. */
export const decodeName = (name: string): string =>
  name.replace(/_x([0-9a-f]{4})_/gi, (_, digits: string) => String.fromCharCode(parseInt(digits, 16)))
