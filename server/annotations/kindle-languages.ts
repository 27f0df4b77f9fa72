/** How a Kindle of one language writes the second line of a clipping. */
export interface KindleLanguage {
  readonly highlight: RegExp
  readonly note: RegExp
  readonly bookmark: RegExp
  readonly page: RegExp
  readonly location: RegExp
  /** The twelve months, as they begin in every form. */
  readonly months: readonly string[]
}

/** One, or a range of two, whose sign depends on the language. */
const number = String.raw`\d{1,9}(?:(?:[-–]| t/m )#?\d{1,9})?`
/** The pages before the first chapter have Roman numbers. */
const pageNumber = String.raw`#?(${number}|[ivxlcdm]{1,12}(?![\p{Script=Latin}\d]))`
const after = (words: string): RegExp => new RegExp(String.raw`(?:${words})\.?\s*#?(${number})`, 'i')
const afterPage = (word: string): RegExp => new RegExp(String.raw`${word}\s*${pageNumber}`, 'iu')
const names = (text: string): string[] => text.split(' ')

/** Kindles of any language may write the date in English. */
export const ENGLISH_MONTHS: readonly string[] = names('jan feb mar apr may jun jul aug sep oct nov dec')

/** Those whose clippings are known from Kindles. A clipping in another one is left out, and named. */
export const KINDLE_LANGUAGES: readonly KindleLanguage[] = [
  {
    highlight: /\bmarkering\b|\bhighlight\b(?=.*\btoegevoegd\b)/i,
    note: /\bnotitie\b/i,
    bookmark: /\bbladwijzer\b/i,
    page: afterPage('pagina'),
    location: after('locatie'),
    months: names('jan feb maart apr mei jun jul aug sep okt nov dec')
  },
  {
    highlight: /\b(?:highlight|underline|circle|asterisk|clip)\b/i,
    note: /\bnote\b(?=.*\badded\b)/i,
    bookmark: /\bbookmark\b/i,
    page: afterPage('page'),
    location: after('location|loc'),
    months: ENGLISH_MONTHS
  },
  {
    highlight: /\bmarkierung\b/i,
    note: /\bnotiz\b/i,
    bookmark: /\blesezeichen\b/i,
    page: afterPage('seite'),
    location: after('position|pos'),
    months: names('jan feb mär apr mai jun jul aug sep okt nov dez')
  },
  {
    highlight: /\bsurlign(?:ement|age)\b/i,
    note: /\bvotre note\b/i,
    bookmark: /\bsignet\b/i,
    page: afterPage('page'),
    location: after('emplacement|empl'),
    months: names('janv févr mars avr mai juin juil août sept oct nov déc')
  },
  {
    highlight: /\bsubrayado\b/i,
    note: /\btu nota\b|\bla nota\b|^- nota\b/i,
    bookmark: /\bmarcador\b(?=.*añadido)/i,
    page: afterPage('página'),
    location: after('posición|pos|ubicación'),
    months: names('ene feb marzo abr may jun jul ago sep oct nov dic')
  },
  {
    highlight: /\bevidenziazione\b/i,
    note: /\bla tua nota\b/i,
    bookmark: /\bsegnalibro\b/i,
    page: afterPage('pagina'),
    location: after('posizione|pos'),
    months: names('gen feb marzo apr mag giu lug ago set ott nov dic')
  },
  {
    highlight: /\bdestaque\b/i,
    note: /\bsua nota\b/i,
    bookmark: /\bmarcador\b(?=.*adicionado)/i,
    page: afterPage('página'),
    location: after('posição|pos'),
    months: names('jan fev mar abr mai jun jul ago set out nov dez')
  },
  {
    highlight: /выделенный отрывок/i,
    note: /ваша заметка/i,
    bookmark: /ваша закладка/i,
    page: afterPage('странице'),
    location: after('месте|место|местоположение'),
    months: names('янв фев мар апр мая июн июл авг сен окт ноя дек')
  },
  {
    highlight: /のハイライト/,
    note: /のメモ/,
    bookmark: /のブックマーク/,
    page: new RegExp(String.raw`${pageNumber}ページ`, 'iu'),
    location: after('位置No'),
    months: []
  },
  {
    highlight: /的标注/,
    note: /的笔记/,
    bookmark: /的书签/,
    page: new RegExp(String.raw`第\s*${pageNumber}\s*页`, 'iu'),
    location: after('位置'),
    months: []
  }
]
