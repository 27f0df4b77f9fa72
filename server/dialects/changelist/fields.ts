import type { XmlElement } from '../../files/xml.ts'
import { placeOf } from './envelope.ts'
import { unreadable } from './faults.ts'
import { API } from './soap.ts'
import { BadValue } from './values.ts'

const NIL = '{http://www.w3.org/2001/XMLSchema-instance}nil'

/**
 * The fields of an element, read as .NET reads them: in any order, unknown ones passed over, the first of several with one name. What is not in the API's
 * namespace counts as unknown.
 */
export class Fields {
  readonly #element: XmlElement | undefined
  readonly #text: string

  /** @param element none, or one that is nil, has no fields */
  constructor(element: XmlElement | undefined, text: string) {
    this.#element =
      element?.attributes.get(NIL)?.trim() === 'true' || element?.attributes.get(NIL)?.trim() === '1' ? undefined : element
    this.#text = text
  }

  /** The text of a field; undefined when there is none. */
  text(name: string): string | undefined {
    const element = this.#named(name)[0]
    return element && this.#textOf(element)
  }

  /**
   * The value of a field; `byDefault` when there is none.
   * @throws SoapFault
   */
  value<T>(name: string, parse: (text: string) => T, byDefault: T): T {
    const element = this.#named(name)[0]
    return element === undefined ? byDefault : this.#parsed(element, parse)
  }

  /** A field with fields of its own. */
  fields(name: string): Fields {
    return new Fields(this.#named(name)[0], this.#text)
  }

  /**
   * The items of a list; one that comes twice goes on.
   * @throws SoapFault
   */
  list<T>(name: string, item: string, parse: (text: string) => T): T[] {
    return this.#named(name).flatMap(list =>
      new Fields(list, this.#text).#named(item).map(element => this.#parsed(element, parse))
    )
  }

  #named(name: string): XmlElement[] {
    return this.#element?.children.filter(({ uri, local }) => uri === API && local === name) ?? []
  }

  #parsed<T>(element: XmlElement, parse: (text: string) => T): T {
    try {
      return parse(this.#textOf(element))
    } catch (error) {
      if (!(error instanceof BadValue)) throw error
      throw unreadable(...placeOf(this.#text, element), error.message)
    }
  }

  #textOf(element: XmlElement): string {
    if (element.children.length > 0)
      throw unreadable(...placeOf(this.#text, element), `${element.local} holds elements where a value was expected.`)
    return element.text
  }
}
