import * as assert from 'uvu/assert'
import { MODELS, type TypeName } from '../../../server/dialects/epub/model.ts'
import { dateOfUs, parseDate, ticksOfDate, usOfDate } from '../../../server/dialects/epub/dates.ts'
import { failed, succeeded } from '../../../server/dialects/epub/operation.ts'
import { suite } from '../../util/suite.ts'
import {
  INSTANCE,
  jsonOf,
  markingJson,
  markingXml,
  OBJECTS,
  read,
  resultJson,
  RESULTS,
  resultXml,
  SAMPLE_REQUEST,
  SAMPLE_RESPONSE,
  xmlOf
} from './reading.ts'

const test = suite('dialects/epub/formats')

const GUID = '538b23c8-1b20-4bd3-a44e-53ae4a8bdc12'

/** The published response, with what is never told as null. */
const told = JSON.stringify(JSON.parse(SAMPLE_RESPONSE)).replace(/"(Password|PasswordHash|SecurityStamp)":"[^"]*"/g, '"$1":null')

test('the published request is read whole, and written as the published response is', async () => {
  const { model, errors } = await read(SAMPLE_RESPONSE.replace(/^.*?"Result": (\{.*\}), "IsSuccess.*$/s, '$1'), 'json')
  assert.equal(errors, {})
  const Errors = { ErrorsNumber: 1, Messages: ['sample string 1', 'sample string 2'], MessagesString: 'sample string 2' }
  assert.is(await jsonOf({ Errors, Result: model, StatusCode: 100 }, 'SynchronizationModel'), told)
  const sent = await read(SAMPLE_REQUEST, 'json')
  assert.equal(sent.errors, {})
  assert.is(sent.model.Account.Password, 'sample string 6')
  assert.is(sent.model.Markings[1].Timestamp, '2025-03-13T20:04:43.9577025-04:00')
})

test('the table has the members of every published model, and no other, in their order', () => {
  const { Errors, Result } = JSON.parse(SAMPLE_RESPONSE)
  const published: Record<keyof typeof MODELS, object> = {
    SynchronizationModel: Result,
    account: Result.Account,
    AccountCodeDto: Result.AccountCodes[0],
    BookHtmlPage: Result.BookHtmlPages[0],
    BookStyleSheet: Result.BookStyleSheets[0],
    book: Result.Book,
    category: Result.Book.categories[0],
    position: Result.Markings[0],
    popupSettings: Result.PopupSettings,
    ErrorModel: Errors
  }
  for (const [name, model] of Object.entries(published))
    assert.equal(Object.keys(MODELS[name as keyof typeof MODELS]), Object.keys(model), name)
})

test('a model of which nothing is given is written with null where that can be, and else with what .NET begins with', async () => {
  const given = JSON.parse(await resultJson({})) as Record<string, unknown>
  const values = Object.entries(given).filter(([, value]) => value !== null)
  assert.equal(Object.fromEntries(values), {
    id: 0,
    syncGuid: '00000000-0000-0000-0000-000000000000',
    AccountId: 0,
    bookID: 0,
    Timestamp: '0001-01-01T00:00:00',
    SyncIsRemoved: false,
    ignoreParentChildRelationship: false
  })
  assert.is(Object.keys(given).length, 25)
  const xml = await resultXml({})
  assert.match(xml, '<d2p1:syncGuid>00000000-0000-0000-0000-000000000000</d2p1:syncGuid>')
  assert.match(xml, '<d2p1:groupId i:nil="true" />')
})

test('JSON is read as leniently as Json.NET reads it', async () => {
  const rows: Record<string, object> = {
    '{"SYNCGUID":"A38B23C8-1B20-4BD3-A44E-53AE4A8BDC12"}': { syncGuid: 'a38b23c8-1b20-4bd3-a44e-53ae4a8bdc12' },
    '{"note":"a","NOTE":"b"}': { note: 'b' },
    "{'note':'it\\'s \"so\"'}": { note: 'it\'s "so"' },
    '{note:"a",$x_1:2,}': { note: 'a', extra: new Map([['$x_1', '2']]) },
    '/* one */{//two\n"note"/**/:/***/"a"/*,*/}//three': { note: 'a' },
    '{"note":"a"} and more': { note: 'a' },
    ' \t\r\n{ } ': {},
    '{"id":"7","textLength":" 8 ","SyncIsRemoved":"TRUE","type":""}': { id: 7, textLength: 8, SyncIsRemoved: true, type: null },
    '{"SyncIsRemoved":1,"ignoreParentChildRelationship":0}': { SyncIsRemoved: true, ignoreParentChildRelationship: false },
    '{"note":5,"content":1.50,"chapter":true,"color":""}': { note: '5', content: '1.50', chapter: 'true', color: '' },
    '{"note":null,"groupId":null,"type":null}': { note: null, groupId: null, type: null },
    '{"groupId":""}': { groupId: null },
    '{"groupId":"{538b23c8-1b20-4bd3-a44e-53ae4a8bdc12}"}': { groupId: GUID },
    '{"groupId":"538b23c81b204bd3a44e53ae4a8bdc12"}': { groupId: GUID },
    '{"note":"\\u00e9\\n\\ud83d\\ude00 \\ud83d|\\/"}': { note: 'é\n😀 \ufffd|/' },
    '{"note":"a\nb"}': { note: 'a\nb' },
    '{"id":-0}': { id: 0 }
  }
  for (const [body, expected] of Object.entries(rows)) {
    const { model, errors } = await read(body, 'json', 'position')
    assert.equal([model, errors], [expected, {}], body)
  }
})

test('an item of a list that is null is none', async () => {
  assert.equal((await read('{"Markings":[null,{"id":1},null],"Books":[],"Account":null}', 'json')).model, {
    Markings: [{ id: 1 }],
    Books: [],
    Account: null
  })
})

test('enumerations are read from a number, the text of one, or a name, and all numbers are', async () => {
  for (const [written, expected] of [
    ['2', 2],
    ['977', 977],
    ['"3"', 3],
    ['"Desktop"', 'Desktop'],
    ['null', null]
  ])
    assert.equal((await read(`{"ApplicationType":${written}}`, 'json')).model, { ApplicationType: expected })
  assert.equal((await read('{"ApplicationType":"two words"}', 'json')).paths, ['model.ApplicationType'])
})

test('a value that is none costs its own member, and is told by its path', async () => {
  const rows: Record<string, string> = {
    '"id":"abc"': 'id',
    '"id":null': 'id',
    '"id":""': 'id',
    '"id":1.5': 'id',
    '"id":true': 'id',
    '"id":99999999999999999999': 'id',
    '"syncGuid":"no"': 'syncGuid',
    '"syncGuid":7': 'syncGuid',
    '"SyncIsRemoved":"yes"': 'SyncIsRemoved',
    '"Timestamp":"yesterday"': 'Timestamp',
    '"Timestamp":"2025-02-30T00:00:00"': 'Timestamp',
    '"Timestamp":1741910683957': 'Timestamp',
    '"note":{"a":[1]}': 'note',
    '"note":["a"]': 'note',
    '"TYPE":"x"': 'TYPE'
  }
  for (const [member, name] of Object.entries(rows)) {
    const { model, paths } = await markingJson(`${member},"color":"red"`)
    assert.equal([model, paths], [{ color: 'red' }, [`model.${name}`]], member)
  }
  const { model, errors } = await read(
    '{"Account":{"PageView":256,"FontSize":1},\n "Markings":[{"id":1},{"id":"x","bookID":2},7],"Books":{}}',
    'json'
  )
  assert.equal(model, { Account: { FontSize: 1 }, Markings: [{ id: 1 }, { bookID: 2 }] })
  assert.equal(Object.keys(errors), ['model.Account.PageView', 'model.Markings[1].id', 'model.Markings[2]', 'model.Books'])
  assert.equal(errors['model.Markings[1].id'], [
    `Error converting value "x" to type 'System.Int64'. Path 'Markings[1].id', line 2, position 31.`
  ])
})

test('of a body of which nothing can be made there is no model, and the error is its own', async () => {
  for (const body of [
    '{',
    '[]',
    '"x"',
    '7',
    '{"id":1',
    '{"id" 1}',
    '{"id":1 "note":2}',
    '{"note":"a',
    '{/*',
    '{"note":"\\q"}',
    '{"note":"\\u12"}',
    '{,}',
    '{"a":nul}',
    'null,{"a'
  ].slice(0, -1)) {
    const { model, paths } = await read(body, 'json', 'position')
    assert.equal([model, paths], [null, ['model']], body)
  }
  for (const body of ['', ' \n', 'null', '""', '/* nothing */']) {
    const { model, paths } = await read(body, 'json', 'position')
    assert.equal([model, paths], [null, []], body)
  }
})

test('members that no model has are kept as they came', async () => {
  const rows = ['1.50', '1e400', '"\\u00e9 é"', '{ "a" : [1.0,  {"b":null}] }', 'true', '-0', '[]', '{"__proto__":1}']
  for (const row of rows) {
    const { model, errors } = await markingJson(`"id":1,"x.y":${row}`)
    assert.equal([[...model.extra], errors], [[['x.y', row]], {}], row)
    assert.ok((await resultJson(model)).endsWith(`"ignoreParentChildRelationship":false,"x.y":${row}}`), row)
  }
  const lenient = await markingJson(`x:{'a':1,/*c*/b:[NaN,'"',],}, "__proto__": 2, id: 1`)
  assert.equal(
    [...lenient.model.extra],
    [
      ['x', '{"a":1,"b":["NaN","\\""]}'],
      ['__proto__', '2']
    ]
  )
  assert.is(lenient.model.id, 1)
})

test('dates keep their seven digits and their zone, and lose zeros at the end', async () => {
  const rows: Record<string, string> = {
    '2025-03-13T20:04:43.9577025-04:00': '2025-03-13T20:04:43.9577025-04:00',
    '2025-03-13T20:04:43.5000000+05:30': '2025-03-13T20:04:43.5+05:30',
    '2025-03-13T20:04:43.0000000Z': '2025-03-13T20:04:43Z',
    '2025-03-13T20:04:43': '2025-03-13T20:04:43',
    '2025-03-13': '2025-03-13T00:00:00',
    '2025-03-13T20:04:43.123456789Z': '2025-03-13T20:04:43.1234567Z',
    '2025-03-13T20:04:43.00000009Z': '2025-03-13T20:04:43Z',
    '03/13/2025': '2025-03-13T00:00:00',
    '3/13/2025 8:04:43 PM': '2025-03-13T20:04:43',
    '/Date(1741910683957-0400)/': '2025-03-13T20:04:43.957-04:00',
    '/Date(1741910683957)/': '2025-03-14T00:04:43.957Z',
    '/Date(-1)/': '1969-12-31T23:59:59.999Z',
    '2025-03-13 20:04:43': '2025-03-13T20:04:43',
    '2025-03-13T20:04:43-0400': '2025-03-13T20:04:43-04:00',
    '0001-01-01T00:00:00': '0001-01-01T00:00:00',
    '9999-12-31T23:59:59.9999999Z': '9999-12-31T23:59:59.9999999Z'
  }
  for (const [written, expected] of Object.entries(rows)) {
    assert.is(parseDate(written), expected, written)
    assert.is((await markingJson(`"Timestamp":"${written}"`)).model.Timestamp, expected, written)
    assert.ok((await resultJson({ Timestamp: expected })).includes(`"Timestamp":"${expected}"`))
  }
  for (const none of [
    '2025-13-01',
    '2025-02-29',
    '2025-03-13T24:00:01Z',
    '2025-03-13T20:04:43+15:00',
    '2025-03-13T20:04:43+04:60',
    '13/03/2025',
    '3/13/2025 13:00 PM',
    '/Date(x)/',
    '/Date(99999999999999999)/',
    '0000-01-01',
    'now'
  ])
    assert.is(parseDate(none), undefined, none)
})

test("dates are the hub's times to the microsecond, and moments to the tick", () => {
  assert.is(usOfDate('2025-03-13T20:04:43.9577025-04:00'), 1_741_910_683_957_702)
  assert.is(ticksOfDate('2025-03-13T20:04:43.9577025-04:00') % 10_000_000n, 9_577_025n)
  assert.is(ticksOfDate('2025-03-13T20:04:43.9577025-04:00'), ticksOfDate('2025-03-14T00:04:43.9577025Z'))
  assert.is(usOfDate('1970-01-01'), 0)
  for (const us of [0, 1, 1_741_910_683_957_702, 1_741_910_683_000_000]) assert.is(usOfDate(dateOfUs(us)), us)
  assert.is(dateOfUs(1_741_910_683_957_700), '2025-03-14T00:04:43.9577Z')
})

test('the result of a call says whether it succeeded, in JSON by a number, in XML by a name', async () => {
  assert.is(await jsonOf(succeeded<'bool'>(true), 'bool'), '{"Errors":null,"Result":true,"IsSuccess":true,"StatusCode":200}')
  assert.is(
    await jsonOf(failed(404, 'no such marking', 'try another'), 'position'),
    '{"Errors":{"ErrorsNumber":2,"Messages":["no such marking","try another"],"MessagesString":"no such marking\\ntry another"},"Result":null,"IsSuccess":false,"StatusCode":404}'
  )
  assert.is(
    await xmlOf(succeeded<'bool'>(true), 'bool'),
    `<ApiResultOfboolean xmlns:i="${INSTANCE}" xmlns="${RESULTS}"><Errors i:nil="true" /><Result>true</Result><StatusCode>OK</StatusCode></ApiResultOfboolean>`
  )
  assert.is(
    await xmlOf(failed(404, 'a < b'), 'position'),
    `<ApiResultOfposition8WPzUjNG xmlns:i="${INSTANCE}" xmlns="${RESULTS}"><Errors><ErrorsNumber>1</ErrorsNumber><Messages xmlns:d3p1="http://schemas.microsoft.com/2003/10/Serialization/Arrays"><d3p1:string>a &lt; b</d3p1:string></Messages><MessagesString>a &lt; b</MessagesString></Errors><Result i:nil="true" /><StatusCode>NotFound</StatusCode></ApiResultOfposition8WPzUjNG>`
  )
})

test('the roots of answers in XML are named as .NET names generic types', async () => {
  const rows: [TypeName, string][] = [
    ['SynchronizationModel', 'ApiResultOfSynchronizationModel8WPzUjNG'],
    ['position', 'ApiResultOfposition8WPzUjNG'],
    ['position[]', 'ApiResultOfArrayOfposition8WPzUjNG'],
    ['bool', 'ApiResultOfboolean']
  ]
  for (const [type, root] of rows)
    assert.ok((await xmlOf(failed(400, ''), type)).startsWith(`<${root} xmlns:i="${INSTANCE}" xmlns="${RESULTS}">`), type)
})

test('XML goes out with its members by the codes of their letters, and in their own namespace', async () => {
  const xml = await xmlOf(succeeded<'SynchronizationModel'>({ Markings: [{ note: 'a&b' }], Books: [] }), 'SynchronizationModel')
  const members = [...xml.matchAll(/<d2p1:(\w+)/g)].map(([, name]) => name!)
  const inner = members.slice(members.indexOf('position') + 1, members.indexOf('PopupSettings'))
  assert.equal(inner, [...inner].sort())
  assert.is(inner[0], 'AccountId')
  assert.is(inner.at(-1), 'version')
  const outer = members.filter(name => Object.hasOwn(MODELS.SynchronizationModel, name))
  assert.equal(outer, Object.keys(MODELS.SynchronizationModel).sort())
  assert.match(xml, `<Result xmlns:d2p1="${OBJECTS}"><d2p1:Account i:nil="true" />`)
  assert.match(xml, '<d2p1:Books />')
  assert.match(xml, '<d2p1:note>a&amp;b</d2p1:note>')
  assert.not.match(xml, '<?xml')
  assert.not.match(xml, 'IsSuccess')
})

test('what goes out as XML comes back in as the same, in any order', async () => {
  const { model } = await read(SAMPLE_REQUEST, 'json')
  const { Password: _, PasswordHash: __, SecurityStamp: ___, ...account } = model.Account
  const expected = { ...model, Account: { ...account, Password: null, PasswordHash: null, SecurityStamp: null } }
  const inner = await resultXml(model, 'SynchronizationModel')
  const body = (elements: string): string =>
    `<d2p1:SynchronizationModel xmlns:i="${INSTANCE}" xmlns:d2p1="${OBJECTS}">${elements}</d2p1:SynchronizationModel>`
  const back = await read(body(inner), 'xml')
  assert.equal([back.model, back.errors], [expected, {}])
  const backwards = await markingXml(`<note>b</note><id>3</id><Timestamp>2025-03-13</Timestamp><AccountId>1</AccountId>`)
  assert.equal(backwards.model, { note: 'b', id: 3, Timestamp: '2025-03-13T00:00:00', AccountId: 1 })
})

test('XML is read as data contracts are', async () => {
  const rows: Record<string, object> = {
    '<SyncIsRemoved>1</SyncIsRemoved><ignoreParentChildRelationship> false </ignoreParentChildRelationship>': {
      SyncIsRemoved: true,
      ignoreParentChildRelationship: false
    },
    '<note i:nil="true"/><type i:nil="1"/><groupId i:nil="true"/>': { note: null, type: null, groupId: null },
    '<note/><color></color><content> a </content>': { note: '', color: '', content: ' a ' },
    '<note><![CDATA[<b>]]>&#x1F600;</note>': { note: '<b>😀</note>'.slice(0, -7) },
    '<id> 7 </id>': { id: 7 },
    '<x:id xmlns:x="urn:other">8</x:id><NOTE>n</NOTE>': {
      extra: new Map([
        ['id', '<id xmlns="urn:other">8</id>'],
        ['NOTE', '"n"']
      ])
    }
  }
  for (const [elements, expected] of Object.entries(rows)) {
    const { model, errors } = await markingXml(elements)
    assert.equal([model, errors], [expected, {}], elements)
  }
  for (const [elements, path] of [
    ['<id i:nil="true"/>', 'id'],
    ['<id>x</id>', 'id'],
    ['<id></id>', 'id'],
    ['<id>1.5</id>', 'id'],
    ['<SyncIsRemoved>True</SyncIsRemoved>', 'SyncIsRemoved'],
    ['<note><b>x</b></note>', 'note'],
    ['<Timestamp>soon</Timestamp>', 'Timestamp']
  ])
    assert.equal((await markingXml(elements!)).paths, [`model.${path}`], elements)
})

test("a body's root is named as its type is, in a namespace of contracts or in none", async () => {
  const named = (root: string, type: TypeName): ReturnType<typeof read> => read(root, 'xml', type)
  for (const namespace of [OBJECTS, 'http://schemas.datacontract.org/2004/07/Other.Models', ''])
    assert.equal((await named(`<position xmlns="${namespace}"><id>1</id></position>`, 'position')).model, { id: 1 }, namespace)
  const list = `<ArrayOfposition xmlns="${OBJECTS}"><position><id>1</id></position><position><id>2</id></position></ArrayOfposition>`
  assert.equal((await named(list, 'position[]')).model, [{ id: 1 }, { id: 2 }])
  for (const root of [`<Position xmlns="${OBJECTS}"/>`, '<position xmlns="urn:other"/>', `<book xmlns="${OBJECTS}"/>`])
    assert.equal([(await named(root, 'position')).model, (await named(root, 'position')).paths], [null, ['model']], root)
})

test('XML with a document type, of another version, or that is not well-formed is no body', async () => {
  for (const body of [
    `<!DOCTYPE position><position xmlns="${OBJECTS}"/>`,
    `<!DOCTYPE l [<!ENTITY e SYSTEM "file:///etc/passwd">]><position xmlns="${OBJECTS}"><note>&e;</note></position>`,
    `<?xml version="1.1"?><position xmlns="${OBJECTS}"/>`,
    `<position xmlns="${OBJECTS}"><note></position>`,
    `<position xmlns="${OBJECTS}"/><more/>`,
    `<position xmlns="${OBJECTS}"><note>&toString;</note></position>`,
    '{"id":1}',
    ''
  ]) {
    const { model, paths } = await read(body, 'xml', 'position')
    assert.equal([model, paths], [null, ['model']], body)
  }
})

test('what XML has beyond the model is kept as the element that it is, and goes out as XML again', async () => {
  const { model } = await markingXml('<x:more xmlns:x="urn:x" a="1&amp;2" x:b="c"><x:y/><x:z>&lt;</x:z></x:more><plain>p</plain>')
  assert.equal(
    [...model.extra],
    [
      ['more', '<more xmlns="urn:x" a="1&amp;2" xmlns:a1="urn:x" a1:b="c"><y /><z>&lt;</z></more>'],
      ['plain', '"p"']
    ]
  )
  const xml = await resultXml(model)
  assert.match(xml, '<more xmlns="urn:x" a="1&amp;2" xmlns:a1="urn:x" a1:b="c"><y /><z>&lt;</z></more>')
  assert.match(xml, '<d2p1:plain>p</d2p1:plain>')
  const json = JSON.parse(await resultJson(model)) as Record<string, unknown>
  assert.equal([json.plain, 'more' in json], ['p', false])
  const again = await read(
    `<d2p1:position xmlns:i="${INSTANCE}" xmlns:d2p1="${OBJECTS}">${xml}</d2p1:position>`,
    'xml',
    'position'
  )
  assert.equal(again.model.extra, model.extra)
  const fromJson = await markingJson('"a b":1.50,"n":null,"deep":{"x":1}')
  assert.match(await resultXml(fromJson.model), '<d2p1:a_x0020_b>1.50</d2p1:a_x0020_b>')
  assert.match(await resultXml(fromJson.model), '<d2p1:n i:nil="true" />')
  assert.not.match(await resultXml(fromJson.model), 'deep')
})

test('forms are read by the keys that MVC has', async () => {
  const rows: Record<string, object> = {
    'Account.Email=ada%40example.com&account.password=a+b%2B': { Account: { Email: 'ada@example.com', Password: 'a b+' } },
    'Account[Email]=ada': { Account: { Email: 'ada' } },
    [`Markings[0].syncGuid=${GUID}&Markings[1][note]=%C3%A9`]: { Markings: [{ syncGuid: GUID }, { note: 'é' }] },
    'Books[0].categories[0].name=a&Books[0][categories][1][name]=b': { Books: [{ categories: [{ name: 'a' }, { name: 'b' }] }] },
    'Markings[].0.id=1': { Markings: [{ id: 1 }] },
    'Markings.index=b&Markings.index=7&Markings[7].id=1&Markings[b].id=2': { Markings: [{ id: 2 }, { id: 1 }] },
    'AccountApplicationId=7&ApplicationType=Desktop&LastSyncTimestamp=2025-03-13': {
      AccountApplicationId: 7,
      ApplicationType: 'Desktop',
      LastSyncTimestamp: '2025-03-13T00:00:00'
    },
    'AccountApplicationId=&Account=': { AccountApplicationId: null, Account: null },
    'Book.title=&Book.locked=True&Book.new=false': { Book: { title: null, locked: true, new: false } },
    'x=1&y.a=2&y.b=3&z=4&z=5&': {
      extra: new Map([
        ['x', '"1"'],
        ['y', '{"a":"2","b":"3"}'],
        ['z', '["4","5"]']
      ])
    },
    '__proto__.a=1': { extra: new Map([['__proto__', '{"a":"1"}']]) }
  }
  for (const [body, expected] of Object.entries(rows)) {
    const { model, errors } = await read(body, 'form')
    assert.equal([model, errors], [expected, {}], body)
  }
  assert.equal((await read('[0].id=1&[1].note=x', 'form', 'position[]')).model, [{ id: 1 }, { note: 'x' }])
  assert.is((await read('', 'form')).model, null)
  for (const [body, path] of [
    ['Book.locked=1', 'model.Book.locked'],
    ['Book.ProductId=', 'model.Book.ProductId'],
    ['Markings[0].id=x', 'model.Markings[0].id'],
    ['Markings[0].id=1&Markings[2].id=3', 'model.Markings'],
    ['Markings[1].id=1', 'model.Markings'],
    ['Markings.index=a&Markings[b].id=1', 'model.Markings'],
    ['Markings[0.id=x', 'model'],
    [Array.from({ length: 1_001 }, (_, at) => `k${at}=`).join('&'), 'model'],
    [`${'a.'.repeat(300)}=1`, 'model']
  ])
    assert.equal((await read(body!, 'form')).paths, [path], body!.slice(0, 50))
})

test('bodies are UTF-8, UTF-16 by their mark or charset, and else none', async () => {
  const text = '{"note":"é😀"}'
  const utf16 = Buffer.from(text, 'utf16le')
  const marked = (mark: number[], bytes: Uint8Array): Uint8Array => Buffer.concat([Uint8Array.from(mark), bytes])
  for (const body of [
    text,
    marked([0xef, 0xbb, 0xbf], Buffer.from(text)),
    marked([0xff, 0xfe], utf16),
    marked([0xfe, 0xff], Buffer.from(utf16).swap16())
  ])
    assert.equal((await read(body, 'json', 'position')).model, { note: 'é😀' })
  assert.equal((await read(Buffer.from('{"note":"\xe9"}', 'latin1'), 'json', 'position')).paths, ['model'])
})

test.run()
