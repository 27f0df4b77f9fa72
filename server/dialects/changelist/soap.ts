export type SoapVersion = '1.1' | '1.2'

export const SOAP_11 = 'http://schemas.xmlsoap.org/soap/envelope/'
export const SOAP_12 = 'http://www.w3.org/2003/05/soap-envelope'
/** The API's own namespace. */
export const API = 'http://api.filesanywhere.com/'

export const CONTENT_TYPES: Readonly<Record<SoapVersion, string>> = {
  '1.1': 'text/xml; charset=utf-8',
  '1.2': 'application/soap+xml; charset=utf-8'
}

/** What stands before the body's content; the prefix is `soap` in both versions. */
export const envelopeHead = (version: SoapVersion, header = ''): string =>
  `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="${version === '1.1' ? SOAP_11 : SOAP_12}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">${header === '' ? '' : `<soap:Header>${header}</soap:Header>`}<soap:Body>`

export const ENVELOPE_TAIL = '</soap:Body></soap:Envelope>'

/** A whole envelope. */
export const soapXml = (version: SoapVersion, body: string, header = ''): string =>
  envelopeHead(version, header) + body + ENVELOPE_TAIL
