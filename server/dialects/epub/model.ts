/**
 * The models of the API: each member by its exact name, in the order in which it goes out as JSON, with its type. From this one table come the TypeScript types and what reads and
 * writes JSON, XML and forms.
 *
 * `?` is a member that may be null. So may every text, model and list. `int` is a whole number, of unknown width; `byte` one from 0 to 255;
 * `application` an `ApplicationTypes`; `secret` a text that goes out as null, whatever is given.
 */
export const MODELS = {
  SynchronizationModel: {
    Account: 'account',
    AccountCodes: 'AccountCodeDto[]',
    AccountApplicationId: 'int?',
    ApplicationType: 'application?',
    BookHtmlPages: 'BookHtmlPage[]',
    BookStyleSheets: 'BookStyleSheet[]',
    Book: 'book',
    Markings: 'position[]',
    Books: 'book[]',
    PopupSettings: 'popupSettings',
    EPubHistoryActivities: 'position[]',
    LastSyncTimestamp: 'date?',
    CurrentSyncTimestamp: 'date?',
    ServerDateTime: 'date?'
  },
  account: {
    AccountId: 'int',
    Email: 'string',
    Password: 'secret',
    LastAccess: 'date',
    FirstName: 'string',
    LastName: 'string',
    FontSize: 'int?',
    FontColor: 'string',
    BackgroundColor: 'string',
    PageView: 'byte?',
    PasswordHash: 'secret',
    SecurityStamp: 'secret',
    Timestamp: 'date'
  },
  AccountCodeDto: {
    Id: 'int',
    AccountId: 'int',
    ProductId: 'int',
    BookId: 'int',
    Date: 'date',
    StartDate: 'date',
    EndDate: 'date'
  },
  BookHtmlPage: {
    BookHtmlPageId: 'int',
    BookId: 'int',
    FileName: 'string',
    HtmlPageTitle: 'string',
    Content: 'string',
    BodyContent: 'string',
    BodyContentForTinyMCE: 'string',
    BodyContentWithoutHtmlTags: 'string',
    RelativePathFromOpfFile: 'string'
  },
  BookStyleSheet: {
    BookStyleSheetId: 'int',
    BookId: 'int',
    Title: 'string',
    FilePath: 'string',
    OriginalContent: 'string',
    ModifiedContent: 'string'
  },
  book: {
    title: 'string',
    url: 'string',
    description: 'string',
    bookIdentifier: 'string',
    cover: 'string',
    locked: 'bool',
    new: 'bool',
    featured: 'bool',
    date: 'date',
    categories: 'category[]',
    ProductId: 'int',
    booksBookID: 'int?',
    version: 'string',
    bookVersion: 'string',
    publisher: 'string',
    author: 'string',
    tableOfContentHTML: 'string',
    tableOfContentEpub30File: 'string',
    contentOpfPath: 'string',
    spineContent: 'string',
    manifestElementContent: 'string',
    parent: 'string',
    isInMyBooks: 'bool',
    account_code_id: 'int?',
    account_code_start_date: 'date?',
    account_code_end_date: 'date?',
    datePurchased: 'date?',
    lastHistoryActivityDate: 'date?',
    fileSize: 'int?'
  },
  category: { id: 'int', name: 'string', image: 'string', image2: 'string', color: 'string' },
  position: {
    id: 'int',
    syncGuid: 'guid',
    groupId: 'guid?',
    AccountId: 'int',
    bookID: 'int',
    version: 'string',
    content: 'string',
    chapter: 'string',
    chapterId: 'string',
    section: 'string',
    subSection1: 'string',
    subSection2: 'string',
    CharIndexStart: 'int?',
    CharIndexEnd: 'int?',
    note: 'string',
    color: 'string',
    type: 'int?',
    actionType: 'int?',
    textLength: 'int?',
    selectionOuterHtml: 'string',
    selectionInnerHtml: 'string',
    Timestamp: 'date',
    SyncIsRemoved: 'bool',
    selectionParentOuterHtml: 'string',
    ignoreParentChildRelationship: 'bool'
  },
  popupSettings: {
    EPubPopupSettingId: 'int',
    AccountId: 'int',
    Top: 'int',
    Left: 'int',
    Width: 'int',
    Height: 'int',
    Timestamp: 'date'
  },
  ErrorModel: { ErrorsNumber: 'int', Messages: 'string[]', MessagesString: 'string' }
} as const satisfies Record<string, Record<string, string>>

type Models = typeof MODELS
export type ModelName = keyof Models
/** Types whose values have no members. */
export type ScalarName = 'int' | 'byte' | 'bool' | 'guid' | 'date' | 'application'

interface ScalarTypes {
  int: number
  byte: number
  bool: boolean
  /** In lower case, with its four dashes. */
  guid: string
  /** As .NET writes it: `2025-03-13T20:04:43.9577025-04:00`, without zeros at the fraction's end, in the zone it came in. `dates.ts` tells the moment of it. */
  date: string
  /** A number, or a name, since nobody tells which there are. */
  application: number | string
}

/** Whatever a member or a body can be of. */
export type TypeName = ScalarName | `${ScalarName}?` | 'string' | 'string[]' | ModelName | `${ModelName}[]`

/** The value of a type; what is not there is null. */
export type ValueOf<T extends string> = T extends `${infer Item}[]`
  ? readonly NonNullable<ValueOf<Item>>[] | null
  : T extends `${infer Scalar extends ScalarName}?`
    ? ScalarTypes[Scalar] | null
    : T extends ScalarName
      ? ScalarTypes[T]
      : T extends ModelName
        ? Model<T> | null
        : string | null

/** Members that no model has, by their names, as they came: the text of the JSON value, or of the XML element, which begins with `<`. */
export type Extra = ReadonlyMap<string, string>

/**
 * One model's members. A request's has those that were sent; in an answer what is not given goes out as null, 0, false, the empty GUID or the first day of the year 1.
 */
export type Model<Name extends ModelName> = {
  readonly [Member in keyof Models[Name]]?: ValueOf<Models[Name][Member] & string>
} & {
  readonly extra?: Extra
}

export type SynchronizationModel = Model<'SynchronizationModel'>
export type AccountModel = Model<'account'>
export type AccountCode = Model<'AccountCodeDto'>
export type BookHtmlPage = Model<'BookHtmlPage'>
export type BookStyleSheet = Model<'BookStyleSheet'>
export type BookModel = Model<'book'>
export type Category = Model<'category'>
export type PositionModel = Model<'position'>
export type PopupSettings = Model<'popupSettings'>
export type ErrorModel = Model<'ErrorModel'>

/**
 * A value as an answer holds it: lists of models may be made while they are sent.
 * @see Model
 */
export type AnswerOf<T extends string> = T extends `${infer Name extends ModelName}[]`
  ? Iterable<Model<Name>> | AsyncIterable<Model<Name>> | null
  : T extends 'SynchronizationModel'
    ? | ({ readonly [Member in keyof Models[T]]?: AnswerOf<Models[T][Member] & string> } & {
          readonly extra?: Extra
        })
      | null
    : ValueOf<T>
