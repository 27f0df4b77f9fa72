import { API } from './soap.ts'
import { escapeXml } from './values.ts'

/** What can be asked for, with what the help page says of it: the second in the words that are documented. */
export const OPERATIONS = {
  AccountLogin: 'Logs you in, and returns the token that every other operation takes.',
  ChangeList: 'Returns List of modifed files and folders.'
} as const

export type OperationName = keyof typeof OPERATIONS

const NAMES = Object.keys(OPERATIONS) as OperationName[]
const XML = '<?xml version="1.0" encoding="utf-8"?>\n'

const field = (name: string, type: string, more = ''): string => `          <s:element minOccurs="1" maxOccurs="1" name="${name}"${more} type="${type}" />`
const optional = (name: string, type: string): string => field(name, type).replace('minOccurs="1"', 'minOccurs="0"')
const many = (name: string, type: string, isNillable = false): string =>
  field(name, type, isNillable ? ' nillable="true"' : '').replace('minOccurs="1" maxOccurs="1"', 'minOccurs="0" maxOccurs="unbounded"')

const sequence = (fields: readonly string[]): string => `        <s:sequence>\n${fields.join('\n')}\n        </s:sequence>`

const wrapper = (name: string, fields: readonly string[]): string =>
  `      <s:element name="${name}">\n        <s:complexType>\n${sequence(fields)}\n        </s:complexType>\n      </s:element>`

const type = (name: string, fields: readonly string[]): string => `      <s:complexType name="${name}">\n${sequence(fields)}\n      </s:complexType>`

const extension = (name: string, base: string, fields: readonly string[]): string =>
  `      <s:complexType name="${name}">\n        <s:complexContent mixed="false">\n          <s:extension base="tns:${base}">\n${sequence(fields)}\n          </s:extension>\n        </s:complexContent>\n      </s:complexType>`

/** The schema of the API's namespace. Names of types that are published nowhere are ours. */
const SCHEMA = `    <s:schema xmlns:s="http://www.w3.org/2001/XMLSchema" xmlns:tns="${API}" elementFormDefault="qualified" targetNamespace="${API}">
${[
  wrapper('AccountLogin', [
    optional('APIKey', 's:string'),
    field('OrgID', 's:long'),
    optional('UserName', 's:string'),
    optional('Password', 's:string'),
    optional('AllowedIPList', 's:string'),
    optional('ClientEncryptParam', 's:string')
  ]),
  wrapper('AccountLoginResponse', [optional('LoginResult', 'tns:LoginResult')]),
  type('LoginResult', [
    optional('ErrorMessage', 's:string'),
    optional('Token', 's:string'),
    optional('ClientEncryptedPassword', 's:string')
  ]),
  wrapper('ChangeList', [optional('Token', 's:string'), optional('Parameters', 'tns:ChangeListParameters')]),
  type('ChangeListParameters', [
    field('LocalDate', 's:dateTime'),
    field('ChangeType', 's:short'),
    optional('FolderExceptionList', 'tns:ArrayOfLong'),
    optional('FileExceptionList', 'tns:ArrayOfLong')
  ]),
  type('ArrayOfLong', [many('long', 's:long')]),
  wrapper('ChangeListResponse', [optional('ChangeListResult', 'tns:ChangeListResult')]),
  type('ChangeListResult', [
    field('HeaderChanged', 's:boolean'),
    optional('ChangedFileList', 'tns:ArrayOfChangeFileItem'),
    optional('ChangedFolderList', 'tns:ArrayOfChangeItem'),
    field('SyncEndDate', 's:dateTime'),
    field('OffsetDate', 's:double'),
    field('FullSync', 's:boolean')
  ]),
  type('ArrayOfChangeFileItem', [many('ChangeFileItem', 'tns:ChangeFileItem', true)]),
  extension('ChangeFileItem', 'ChangeItem', [
    field('ParentFolderID', 's:long'),
    optional('Name', 's:string'),
    field('Size', 's:long'),
    optional('Checksum', 's:string')
  ]),
  type('ChangeItem', [
    field('ItemId', 's:int'),
    optional('Path', 's:string'),
    field('ActionCode', 's:short'),
    field('LastEventDate', 's:dateTime')
  ]),
  type('ArrayOfChangeItem', [many('ChangeItem', 'tns:ChangeItem', true)])
].join('\n')}
    </s:schema>`

const MESSAGES = NAMES.flatMap(name => [
  `  <wsdl:message name="${name}SoapIn">\n    <wsdl:part name="parameters" element="tns:${name}" />\n  </wsdl:message>`,
  `  <wsdl:message name="${name}SoapOut">\n    <wsdl:part name="parameters" element="tns:${name}Response" />\n  </wsdl:message>`
])

const PORT_TYPE = `  <wsdl:portType name="SyncAPISoap">\n${NAMES.map(
  name =>
    `    <wsdl:operation name="${name}">\n      <wsdl:documentation xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/">${OPERATIONS[name]}</wsdl:documentation>\n      <wsdl:input message="tns:${name}SoapIn" />\n      <wsdl:output message="tns:${name}SoapOut" />\n    </wsdl:operation>`
).join('\n')}\n  </wsdl:portType>`

const binding = (name: string, prefix: string): string =>
  `  <wsdl:binding name="${name}" type="tns:SyncAPISoap">\n    <${prefix}:binding transport="http://schemas.xmlsoap.org/soap/http" />\n${NAMES.map(
    operation =>
      `    <wsdl:operation name="${operation}">\n      <${prefix}:operation soapAction="${API}${operation}" style="document" />\n      <wsdl:input>\n        <${prefix}:body use="literal" />\n      </wsdl:input>\n      <wsdl:output>\n        <${prefix}:body use="literal" />\n      </wsdl:output>\n    </wsdl:operation>`
  ).join('\n')}\n  </wsdl:binding>`

const PARTS = [...MESSAGES, PORT_TYPE, binding('SyncAPISoap', 'soap'), binding('SyncAPISoap12', 'soap12')].join('\n')

/** As it stands in an attribute. */
const quoted = (text: string): string => escapeXml(text).replaceAll('"', '&quot;')

/**
 * The service's description, WSDL 1.1: document/literal, wrapped, with one port for each version of SOAP.
 * @param address where the hub is found, as whoever asks has found it
 */
export const wsdlOf = (address: string): string => `${XML}<wsdl:definitions xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:tns="${API}" xmlns:s="http://www.w3.org/2001/XMLSchema" xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/" xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" targetNamespace="${API}">
  <wsdl:types>
${SCHEMA}
  </wsdl:types>
${PARTS}
  <wsdl:service name="SyncAPI">
    <wsdl:port name="SyncAPISoap" binding="tns:SyncAPISoap">
      <soap:address location="${quoted(address)}" />
    </wsdl:port>
    <wsdl:port name="SyncAPISoap12" binding="tns:SyncAPISoap12">
      <soap12:address location="${quoted(address)}" />
    </wsdl:port>
  </wsdl:service>
</wsdl:definitions>
`

/** The schema by itself. */
export const SCHEMA_DOCUMENT = `${XML}${SCHEMA.replace(/^ {4}/gm, '')}\n`

/** The discovery document. */
export const discoOf = (address: string): string => {
  const at = quoted(address)
  const port = (prefix: string, name: string): string =>
    `  <soap address="${at}" xmlns:${prefix}="${API}" binding="${prefix}:${name}" xmlns="http://schemas.xmlsoap.org/disco/soap/" />`
  return `${XML}<discovery xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns="http://schemas.xmlsoap.org/disco/">
  <contractRef ref="${at}?wsdl" docRef="${at}" xmlns="http://schemas.xmlsoap.org/disco/scl/" />
${port('q1', 'SyncAPISoap')}
${port('q2', 'SyncAPISoap12')}
</discovery>
`
}
