import { escapeXml } from '../dot-net.ts'
import { API } from './soap.ts'

/** What can be asked for, with what the help page says of it: the second in the words that are documented. */
export const OPERATIONS = {
  AccountLogin: 'Logs you in, and returns the token that every other operation takes.',
  ChangeList: 'Returns List of modifed files and folders.'
} as const

export type OperationName = keyof typeof OPERATIONS

const NAMES = Object.keys(OPERATIONS) as OperationName[]
const XML = '<?xml version="1.0" encoding="utf-8"?>\n'

/** An element over several lines, with what it holds indented. */
const block = (tag: string, ...held: readonly string[]): string =>
  `<${tag}>\n${held.join('\n').replace(/^/gm, '  ')}\n</${tag.split(' ')[0]}>`

const occurring = (least: 0 | 1, most: '1' | 'unbounded', name: string, type: string, more = ''): string =>
  `<s:element minOccurs="${least}" maxOccurs="${most}" name="${name}"${more} type="${type}" />`
const field = (name: string, type: string): string => occurring(1, '1', name, type)
const optional = (name: string, type: string): string => occurring(0, '1', name, type)

const type = (name: string, ...fields: readonly string[]): string =>
  block(`s:complexType name="${name}"`, block('s:sequence', ...fields))
const wrapper = (name: string, ...fields: readonly string[]): string =>
  block(`s:element name="${name}"`, block('s:complexType', block('s:sequence', ...fields)))
const extension = (name: string, base: string, ...fields: readonly string[]): string =>
  block(
    `s:complexType name="${name}"`,
    block('s:complexContent mixed="false"', block(`s:extension base="tns:${base}"`, block('s:sequence', ...fields)))
  )

/** The schema of the API's namespace. Names of types that are published nowhere are ours. */
const SCHEMA = block(
  `s:schema xmlns:s="http://www.w3.org/2001/XMLSchema" xmlns:tns="${API}" elementFormDefault="qualified" targetNamespace="${API}"`,
  wrapper(
    'AccountLogin',
    optional('APIKey', 's:string'),
    field('OrgID', 's:long'),
    optional('UserName', 's:string'),
    optional('Password', 's:string'),
    optional('AllowedIPList', 's:string'),
    optional('ClientEncryptParam', 's:string')
  ),
  wrapper('AccountLoginResponse', optional('LoginResult', 'tns:LoginResult')),
  type(
    'LoginResult',
    optional('ErrorMessage', 's:string'),
    optional('Token', 's:string'),
    optional('ClientEncryptedPassword', 's:string')
  ),
  wrapper('ChangeList', optional('Token', 's:string'), optional('Parameters', 'tns:ChangeListParameters')),
  type(
    'ChangeListParameters',
    field('LocalDate', 's:dateTime'),
    field('ChangeType', 's:short'),
    optional('FolderExceptionList', 'tns:ArrayOfLong'),
    optional('FileExceptionList', 'tns:ArrayOfLong')
  ),
  type('ArrayOfLong', occurring(0, 'unbounded', 'long', 's:long')),
  wrapper('ChangeListResponse', optional('ChangeListResult', 'tns:ChangeListResult')),
  type(
    'ChangeListResult',
    field('HeaderChanged', 's:boolean'),
    optional('ChangedFileList', 'tns:ArrayOfChangeFileItem'),
    optional('ChangedFolderList', 'tns:ArrayOfChangeItem'),
    field('SyncEndDate', 's:dateTime'),
    field('OffsetDate', 's:double'),
    field('FullSync', 's:boolean')
  ),
  type('ArrayOfChangeFileItem', occurring(0, 'unbounded', 'ChangeFileItem', 'tns:ChangeFileItem', ' nillable="true"')),
  extension(
    'ChangeFileItem',
    'ChangeItem',
    field('ParentFolderID', 's:long'),
    optional('Name', 's:string'),
    field('Size', 's:long'),
    optional('Checksum', 's:string')
  ),
  type(
    'ChangeItem',
    field('ItemId', 's:int'),
    optional('Path', 's:string'),
    field('ActionCode', 's:short'),
    field('LastEventDate', 's:dateTime')
  ),
  type('ArrayOfChangeItem', occurring(0, 'unbounded', 'ChangeItem', 'tns:ChangeItem', ' nillable="true"'))
)

const MESSAGES = NAMES.flatMap(name => [
  block(`wsdl:message name="${name}SoapIn"`, `<wsdl:part name="parameters" element="tns:${name}" />`),
  block(`wsdl:message name="${name}SoapOut"`, `<wsdl:part name="parameters" element="tns:${name}Response" />`)
])

const PORT_TYPE = block(
  'wsdl:portType name="SyncAPISoap"',
  ...NAMES.map(name =>
    block(
      `wsdl:operation name="${name}"`,
      `<wsdl:documentation>${OPERATIONS[name]}</wsdl:documentation>`,
      `<wsdl:input message="tns:${name}SoapIn" />`,
      `<wsdl:output message="tns:${name}SoapOut" />`
    )
  )
)

const binding = (name: string, prefix: string): string =>
  block(
    `wsdl:binding name="${name}" type="tns:SyncAPISoap"`,
    `<${prefix}:binding transport="http://schemas.xmlsoap.org/soap/http" />`,
    ...NAMES.map(operation =>
      block(
        `wsdl:operation name="${operation}"`,
        `<${prefix}:operation soapAction="${API}${operation}" style="document" />`,
        block('wsdl:input', `<${prefix}:body use="literal" />`),
        block('wsdl:output', `<${prefix}:body use="literal" />`)
      )
    )
  )

/** As it stands in an attribute. */
const quoted = (text: string): string => escapeXml(text).replaceAll('"', '&quot;')

/**
 * The service's description, WSDL 1.1: document/literal, wrapped, with one port for each version of SOAP.
 * @param address where the hub is found, as whoever asks has found it
 */
export function wsdlOf(address: string): string {
  const port = (name: string, prefix: string): string =>
    block(`wsdl:port name="${name}" binding="tns:${name}"`, `<${prefix}:address location="${quoted(address)}" />`)
  const namespaces = `xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:tns="${API}" xmlns:s="http://www.w3.org/2001/XMLSchema" xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/" xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"`
  const definitions = block(
    `wsdl:definitions ${namespaces} targetNamespace="${API}"`,
    block('wsdl:types', SCHEMA),
    ...MESSAGES,
    PORT_TYPE,
    binding('SyncAPISoap', 'soap'),
    binding('SyncAPISoap12', 'soap12'),
    block('wsdl:service name="SyncAPI"', port('SyncAPISoap', 'soap'), port('SyncAPISoap12', 'soap12'))
  )
  return `${XML}${definitions}\n`
}

/** The schema by itself. */
export const SCHEMA_DOCUMENT = `${XML}${SCHEMA}\n`

/** The discovery document. */
export function discoOf(address: string): string {
  const at = quoted(address)
  const port = (prefix: string, name: string): string =>
    `<soap address="${at}" xmlns:${prefix}="${API}" binding="${prefix}:${name}" xmlns="http://schemas.xmlsoap.org/disco/soap/" />`
  const discovery = block(
    'discovery xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns="http://schemas.xmlsoap.org/disco/"',
    `<contractRef ref="${at}?wsdl" docRef="${at}" xmlns="http://schemas.xmlsoap.org/disco/scl/" />`,
    port('q1', 'SyncAPISoap'),
    port('q2', 'SyncAPISoap12')
  )
  return `${XML}${discovery}\n`
}
