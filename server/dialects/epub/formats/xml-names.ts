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

/** A name that XML can have: what cannot stand in one is written as `_x005B_`. @see XmlConvert.EncodeLocalName */
export const encodeName = (name: string): string =>
  name.replace(/[^\p{L}\p{Nd}_.-]|^[\p{Nd}.-]/gu, character =>
    [...Array(character.length).keys()]
      .map(at => `_x${character.charCodeAt(at).toString(16).toUpperCase().padStart(4, '0')}_`)
      .join('')
  )
