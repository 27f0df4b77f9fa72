import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { readXml, type XmlElement } from '../../../server/files/xml.ts'
import { suite } from '../../util/suite.ts'
import { API, service, TEXT_XML, type Service } from './service.ts'

const test = suite('dialects/changelist/description')

const HTML = 'text/html; charset=utf-8'
const XSD = 'http://www.w3.org/2001/XMLSchema'
const WSDL = 'http://schemas.xmlsoap.org/wsdl/'
/** The samples of the documented page of `ChangeList`. */
const SAMPLES = readFileSync(fileURLToPath(new URL('change-list-samples.txt', import.meta.url)), 'utf8')

/** What a page shows, without its markup. */
const shown = (html: string): string =>
  html
    .replace(/<[^>]*>/g, '')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')

test('the page lists the operations, and leads to each and to the description', async context => {
  const { ask } = await service(context)
  const { status, type, text } = await ask('GET')
  assert.equal([status, type], [200, HTML])
  assert.match(shown(text), 'SyncAPI')
  assert.match(
    shown(text),
    'The following operations are supported. For a formal definition, please review the Service Description.'
  )
  const links = [...text.matchAll(/href="([^"]+)">([^<]+)</g)].map(([, to, name]) => [name, to!.slice(to!.indexOf('?'))])
  assert.equal(links, [
    ['Service Description', '?WSDL'],
    ['AccountLogin', '?op=AccountLogin'],
    ['ChangeList', '?op=ChangeList']
  ])
  assert.match(shown(text), 'Returns List of modifed files and folders.')
  for (const [, to] of links) assert.is((await ask('GET', to)).status, 200, to)
})

test("an operation's page shows the documented samples, and no form", async context => {
  const { ask, host } = await service(context)
  const { status, type, text } = await ask('GET', '?op=ChangeList')
  assert.equal([status, type], [200, HTML])
  const page = shown(text)
  for (const sample of SAMPLES.split('----\n')) assert.ok(page.includes(sample.replace('HOST', host).trim()), sample)
  for (const line of [
    'Click here for a complete list of operations.',
    'The test form is only available for requests from the local machine.'
  ])
    assert.match(page, line)
  assert.not.match(text, '<form')
})

test('the page of an operation that is none says so, and repeats nothing as markup', async context => {
  const { ask } = await service(context)
  for (const name of ['Unknown', 'toString', '<script>']) {
    const { status, text } = await ask('GET', `?op=${encodeURIComponent(name)}`)
    assert.is(status, 200)
    assert.match(text, 'Method Not Found')
    assert.ok(shown(text).includes(`Method '${name}' was not found in service SyncAPI.`))
    assert.not.match(text, '<script')
  }
})

test('the description is given for WSDL in any letters, and by its parts; what is none of them is not', async context => {
  const { ask } = await service(context)
  const whole = await ask('GET', '?WSDL')
  assert.equal([whole.status, whole.type], [200, TEXT_XML])
  for (const query of ['?wsdl', '?Wsdl', '?wsdl=wsdl1', '?WSDL=wsdl1']) assert.is((await ask('GET', query)).text, whole.text)
  const schema = await ask('GET', '?schema=schema1')
  assert.equal([schema.status, schema.type], [200, TEXT_XML])
  assert.is(readXml(Buffer.from(schema.text), 'the schema').uri, XSD)
  for (const query of ['?wsdl=wsdl2', '?schema=schema2', '?schema'])
    assert.equal([(await ask('GET', query)).status, (await ask('GET', query)).type], [404, HTML], query)
})

test('the discovery document names the description and both ports', async context => {
  const { ask, url } = await service(context)
  const { status, type, text } = await ask('GET', '?disco')
  assert.equal([status, type], [200, TEXT_XML])
  const { local, children } = readXml(Buffer.from(text), 'the discovery document')
  assert.is(local, 'discovery')
  assert.equal(
    children.map(({ attributes }) => attributes.get('ref') ?? attributes.get('binding')?.split(':')[1]),
    [`${url}?wsdl`, 'SyncAPISoap', 'SyncAPISoap12']
  )
  assert.equal(
    children.map(({ attributes }) => attributes.get('docRef') ?? attributes.get('address')),
    [url, url, url]
  )
})

test('HEAD, PUT, DELETE and others are refused with 405', async context => {
  const { ask } = await service(context)
  for (const method of ['HEAD', 'PUT', 'DELETE', 'PATCH']) {
    const { status, type, text } = await ask(method)
    assert.equal([status, type], [405, HTML], method)
    assert.match(text, method === 'HEAD' ? /^$/ : 'Request format is unrecognized.')
  }
})

test('a path below the page is no way to an operation', async context => {
  const { ask } = await service(context)
  for (const method of ['GET', 'POST']) {
    const { status, type, text } = await ask(method, '/ChangeList')
    assert.equal([status, type], [500, HTML])
    assert.match(text, "Request format is unrecognized for URL unexpectedly ending in '/ChangeList'.")
  }
  assert.not.match((await ask('GET', '/<script>')).text, '<script')
})

/** The parts of a description, to ask for by name. */
async function description({ ask }: Service): Promise<(kind: string, name?: string) => XmlElement> {
  const root = readXml(Buffer.from((await ask('GET', '?WSDL')).text), 'the description')
  assert.equal([root.uri, root.local, root.attributes.get('targetNamespace')], [WSDL, 'definitions', API])
  const all = (element: XmlElement): XmlElement[] => [element, ...element.children.flatMap(all)]
  return (kind, name) => {
    const found = all(root).filter(({ local, attributes }) => local === kind && attributes.get('name') === name)
    assert.is(found.length, 1, `${found.length} of ${kind} ${name}`)
    return found[0]!
  }
}

test('the description is document/literal, wrapped, with a port for each version at one address', async context => {
  const own = await service(context)
  const part = await description(own)
  assert.is(part('schema').attributes.get('elementFormDefault'), 'qualified')
  assert.is(part('schema').attributes.get('targetNamespace'), API)
  for (const operation of ['ChangeList', 'AccountLogin']) {
    for (const [way, element] of [
      ['In', operation],
      ['Out', `${operation}Response`]
    ] as const) {
      const [only, ...more] = part('message', `${operation}Soap${way}`).children
      assert.equal(
        [only!.attributes.get('name'), only!.attributes.get('element'), more.length],
        ['parameters', `tns:${element}`, 0]
      )
      assert.is(part('element', element).children[0]!.local, 'complexType')
    }
    for (const [name, uri] of [
      ['SyncAPISoap', 'http://schemas.xmlsoap.org/wsdl/soap/'],
      ['SyncAPISoap12', 'http://schemas.xmlsoap.org/wsdl/soap12/']
    ] as const) {
      const binding = part('binding', name)
      assert.is(binding.attributes.get('type'), 'tns:SyncAPISoap')
      const its = binding.children.find(({ attributes }) => attributes.get('name') === operation)!
      const [soap] = its.children
      assert.equal(
        [soap!.uri, soap!.attributes.get('soapAction'), soap!.attributes.get('style')],
        [uri, API + operation, 'document']
      )
      assert.is(part('port', name).attributes.get('binding'), `tns:${name}`)
      assert.equal(
        [part('port', name).children[0]!.uri, part('port', name).children[0]!.attributes.get('location')],
        [uri, own.url]
      )
    }
  }
  assert.is(part('portType', 'SyncAPISoap').children.length, 2)
  assert.is(part('service', 'SyncAPI').children.length, 2)
})

/** Fields of elements and types, as `name type least..most`. */
const SHAPES: Readonly<Record<string, readonly string[]>> = {
  ChangeList: ['Token s:string 0..1', 'Parameters tns:ChangeListParameters 0..1'],
  ChangeListParameters: [
    'LocalDate s:dateTime 1..1',
    'ChangeType s:short 1..1',
    'FolderExceptionList tns:ArrayOfLong 0..1',
    'FileExceptionList tns:ArrayOfLong 0..1'
  ],
  ArrayOfLong: ['long s:long 0..unbounded'],
  ChangeListResponse: ['ChangeListResult tns:ChangeListResult 0..1'],
  ChangeListResult: [
    'HeaderChanged s:boolean 1..1',
    'ChangedFileList tns:ArrayOfChangeFileItem 0..1',
    'ChangedFolderList tns:ArrayOfChangeItem 0..1',
    'SyncEndDate s:dateTime 1..1',
    'OffsetDate s:double 1..1',
    'FullSync s:boolean 1..1'
  ],
  ArrayOfChangeFileItem: ['ChangeFileItem tns:ChangeFileItem 0..unbounded nillable'],
  ChangeFileItem: ['ParentFolderID s:long 1..1', 'Name s:string 0..1', 'Size s:long 1..1', 'Checksum s:string 0..1'],
  ArrayOfChangeItem: ['ChangeItem tns:ChangeItem 0..unbounded nillable'],
  ChangeItem: ['ItemId s:int 1..1', 'Path s:string 0..1', 'ActionCode s:short 1..1', 'LastEventDate s:dateTime 1..1'],
  AccountLogin: [
    'APIKey s:string 0..1',
    'OrgID s:long 1..1',
    'UserName s:string 0..1',
    'Password s:string 0..1',
    'AllowedIPList s:string 0..1',
    'ClientEncryptParam s:string 0..1'
  ],
  AccountLoginResponse: ['LoginResult tns:LoginResult 0..1'],
  LoginResult: ['ErrorMessage s:string 0..1', 'Token s:string 0..1', 'ClientEncryptedPassword s:string 0..1']
}

for (const [name, fields] of Object.entries(SHAPES))
  test(`${name} has the fields that are documented`, async context => {
    const part = await description(await service(context))
    const isElement = /^(ChangeList|AccountLogin)(Response)?$/.test(name)
    let sequence = part(isElement ? 'element' : 'complexType', name)
    while (sequence.local !== 'sequence') sequence = sequence.children[0]!
    assert.equal(
      sequence.children.map(({ attributes }) => {
        const [field, type, least, most, nil] = ['name', 'type', 'minOccurs', 'maxOccurs', 'nillable'].map(key =>
          attributes.get(key)
        )
        return `${field} ${type} ${least}..${most}${nil === 'true' ? ' nillable' : ''}`
      }),
      fields
    )
  })

test('a hub with a public address describes itself by that', async context => {
  const own = await service(context, { publicUrl: 'https://books.example/lectern' })
  if (own.own === undefined) return
  assert.match((await own.ask('GET', '?wsdl')).text, 'location="https://books.example/lectern/api/syncapp/syncapi.asmx"')
})

test.run()
