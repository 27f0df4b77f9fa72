import type { AnswerOf, ErrorModel, TypeName, ValueOf } from './model.ts'

/** What the API answers with, whatever came of the call. `IsSuccess` is written from `Errors`. */
export interface ApiResult<T extends string = string> {
  readonly Errors: ErrorModel | null
  readonly Result: AnswerOf<T>
  /** As an HTTP status is numbered; the HTTP answer itself has 200. */
  readonly StatusCode: number
}

export const succeeded = <T extends TypeName>(result: AnswerOf<T>): ApiResult<T> => ({
  Errors: null,
  Result: result,
  StatusCode: 200
})

/** The call was understood, and was not done. */
export const failed = (status: number, ...messages: string[]): ApiResult<never> => ({
  Errors: { ErrorsNumber: messages.length, Messages: messages, MessagesString: messages.join('\n') },
  Result: null as never,
  StatusCode: status
})

/** One call of an operation. */
export interface Call<In extends TypeName> {
  /** What the body says; null when there was none, or none is read. */
  readonly body: [In] extends [never] ? null : ValueOf<In> | null
  /** A parameter of the address, whose name counts without its case. */
  readonly query: (name: string) => string | undefined
  /** Of the header `authorization: Bearer …`; empty when there is none. */
  readonly token: string
  /** The sender's address, as limits count it. */
  readonly address: string
}

/** An operation of the API, as the shell mounts it. */
export interface Operation<In extends TypeName = any, Out extends TypeName = any> {
  readonly method: 'GET' | 'POST'
  /** In lower case, without a slash at its end. */
  readonly path: string
  /** The type of the body, and what errors call it; undefined when none is read. */
  readonly reads: { readonly type: In; readonly parameter: string } | undefined
  readonly gives: Out
  /**
   * Does the call. A body that cannot be read does not come to it: that is answered 400.
   * @throws HubError `unauthenticated`, and whatever else is told by a status of HTTP; what the API has words for is `failed`
   */
  run(call: Call<In>): Promise<ApiResult<Out>>
}

/** Says an operation's types once. */
export const operation = <Out extends TypeName, In extends TypeName = never>(declared: Operation<In, Out>): Operation<In, Out> =>
  declared
