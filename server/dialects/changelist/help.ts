import { escapeXml } from '../dot-net.ts'
import { API, CONTENT_TYPES, SOAP_11, SOAP_12 } from './soap.ts'
import { OPERATIONS, type OperationName } from './wsdl.ts'

/** One operation's request and response, with the names of types where values stand. */
const SAMPLES: Readonly<Record<OperationName, readonly [request: string, response: string]>> = {
  AccountLogin: [
    `<AccountLogin xmlns="${API}">
      <APIKey>string</APIKey>
      <OrgID>long</OrgID>
      <UserName>string</UserName>
      <Password>string</Password>
      <AllowedIPList>string</AllowedIPList>
      <ClientEncryptParam>string</ClientEncryptParam>
    </AccountLogin>`,
    `<AccountLoginResponse xmlns="${API}">
      <LoginResult>
        <ErrorMessage>string</ErrorMessage>
        <Token>string</Token>
        <ClientEncryptedPassword>string</ClientEncryptedPassword>
      </LoginResult>
    </AccountLoginResponse>`
  ],
  ChangeList: [
    `<ChangeList xmlns="${API}">
      <Token>string</Token>
      <Parameters>
        <LocalDate>dateTime</LocalDate>
        <ChangeType>short</ChangeType>
        <FolderExceptionList>
          <long>long</long>
          <long>long</long>
        </FolderExceptionList>
        <FileExceptionList>
          <long>long</long>
          <long>long</long>
        </FileExceptionList>
      </Parameters>
    </ChangeList>`,
    `<ChangeListResponse xmlns="${API}">
      <ChangeListResult>
        <HeaderChanged>boolean</HeaderChanged>
        <ChangedFileList>
          <ChangeFileItem>
            <ParentFolderID>long</ParentFolderID>
            <Name>string</Name>
            <Size>long</Size>
            <Checksum>string</Checksum>
          </ChangeFileItem>
          <ChangeFileItem>
            <ParentFolderID>long</ParentFolderID>
            <Name>string</Name>
            <Size>long</Size>
            <Checksum>string</Checksum>
          </ChangeFileItem>
        </ChangedFileList>
        <ChangedFolderList>
          <ChangeItem>
            <ItemId>int</ItemId>
            <Path>string</Path>
            <ActionCode>short</ActionCode>
            <LastEventDate>dateTime</LastEventDate>
          </ChangeItem>
          <ChangeItem>
            <ItemId>int</ItemId>
            <Path>string</Path>
            <ActionCode>short</ActionCode>
            <LastEventDate>dateTime</LastEventDate>
          </ChangeItem>
        </ChangedFolderList>
        <SyncEndDate>dateTime</SyncEndDate>
        <OffsetDate>double</OffsetDate>
        <FullSync>boolean</FullSync>
      </ChangeListResult>
    </ChangeListResponse>`
  ]
}

const page = (title: string, body: string): string =>
  `<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>${title}</title></head>\n<body>\n<h1>SyncAPI</h1>\n${body}\n</body>\n</html>\n`

/** What the service can do, for a person with a browser. */
export const servicePage = (path: string): string =>
  page(
    'SyncAPI Web Service',
    `<p>The following operations are supported. For a formal definition, please review the <a href="${path}?WSDL">Service Description</a>.</p>\n<ul>\n${Object.entries(
      OPERATIONS
    )
      .map(([name, text]) => `<li><a href="${path}?op=${name}">${name}</a><br>${text}</li>`)
      .join('\n')}\n</ul>`
  )

/** One operation, with samples of what is sent and answered. */
export function operationPage(path: string, host: string, name: string): string {
  const back = `<p>Click <a href="${path}">here</a> for a complete list of operations.</p>`
  if (!isOperation(name))
    return page(
      'SyncAPI Web Service',
      `${back}\n<h2>Method Not Found</h2>\n<p>Method '${escapeXml(name)}' was not found in service SyncAPI.</p>`
    )
  const samples = [
    sample('SOAP 1.1', path, host, name, 'soap', SOAP_11, CONTENT_TYPES['1.1'], `\nSOAPAction: "${API}${name}"`),
    sample('SOAP 1.2', path, host, name, 'soap12', SOAP_12, CONTENT_TYPES['1.2'], '')
  ]
  return page(
    'SyncAPI Web Service',
    `${back}\n<h2>${name}</h2>\n<p>${OPERATIONS[name]}</p>\n<h3>Test</h3>\n<p>The test form is only available for requests from the local machine.</p>\n${samples.join('\n')}`
  )
}

const isOperation = (name: string): name is OperationName => Object.hasOwn(OPERATIONS, name)

/** What is said where no protocol fits, as a page. */
export const errorPage = (text: string): string => page('SyncAPI', `<h2>${escapeXml(text)}</h2>`)

function sample(
  title: string,
  path: string,
  host: string,
  name: OperationName,
  prefix: string,
  uri: string,
  type: string,
  more: string
): string {
  const envelope = (body: string): string => `<?xml version="1.0" encoding="utf-8"?>
<${prefix}:Envelope xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:${prefix}="${uri}">
  <${prefix}:Body>
    ${body}
  </${prefix}:Body>
</${prefix}:Envelope>`
  const [request, response] = SAMPLES[name]
  const lines = `Content-Type: ${type}\nContent-Length: length`
  return `<h3>${title}</h3>
<p>The following is a sample ${title} request and response. The placeholders shown need to be replaced with actual values.</p>
<pre>${escapeXml(`POST ${path} HTTP/1.1\nHost: ${host}\n${lines}${more}\n\n${envelope(request)}`)}</pre>
<pre>${escapeXml(`HTTP/1.1 200 OK\n${lines}\n\n${envelope(response)}`)}</pre>`
}
