import type { Json } from './reading-app.ts'

const NAMESPACE = 'http://schemas.datacontract.org/2004/07/CSAeReader.Common.API.Objects'
const INSTANCE = 'http://www.w3.org/2001/XMLSchema-instance'
/** What the items of each list are called in XML. */
const ITEMS: Record<string, string> = {
  AccountCodes: 'AccountCodeDto',
  BookHtmlPages: 'BookHtmlPage',
  BookStyleSheets: 'BookStyleSheet',
  Markings: 'position',
  Books: 'book',
  EPubHistoryActivities: 'position',
  categories: 'category'
}

export const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** As a data contract has it. */
function xmlOf(name: string, value: unknown): string {
  if (value === null) return `<${name} xmlns:i="${INSTANCE}" i:nil="true" />`
  if (Array.isArray(value)) return `<${name}>${value.map(item => xmlOf(ITEMS[name]!, item)).join('')}</${name}>`
  if (typeof value !== 'object') return `<${name}>${escaped(`${value as string | number | boolean}`)}</${name}>`
  return `<${name}>${Object.entries(value as Json)
    .map(([member, its]) => xmlOf(member, its))
    .join('')}</${name}>`
}

/** As a form has it. */
function formOf(value: unknown, path = ''): [string, string][] {
  if (value === null) return []
  if (Array.isArray(value)) return value.flatMap((item, index) => formOf(item, `${path}[${index}]`))
  if (typeof value !== 'object') return [[path, `${value as string | number | boolean}`]]
  return Object.entries(value as Json).flatMap(([member, its]) => formOf(its, path === '' ? member : `${path}.${member}`))
}

/** A body, and what it is. */
export interface Sent {
  readonly type: string
  readonly body: string
}

/** How a request's model is written, in each form that the API reads. */
export const FORMATS: Record<string, (model: Json) => Sent> = {
  JSON: model => ({ type: 'application/json', body: JSON.stringify(model) }),
  'text/json': model => ({ type: 'text/json', body: JSON.stringify(model) }),
  XML: model => ({
    type: 'application/xml',
    body: xmlOf('SynchronizationModel', model).replace('<SynchronizationModel>', `<SynchronizationModel xmlns="${NAMESPACE}">`)
  }),
  form: model => ({ type: 'application/x-www-form-urlencoded', body: new URLSearchParams(formOf(model)).toString() })
}
