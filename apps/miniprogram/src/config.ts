/** build.ts sets these. */
declare const SAOMA_ORIGIN: string
declare const SAOMA_PAGE: string
declare const SAOMA_PERSON: string

/** Origin of the Saoma server. */
export const origin: string = SAOMA_ORIGIN
/** The demo account to use. Empty in everything that is published. */
export const person: string = SAOMA_PERSON
/** Path of the page that confirms a login. The other pages keep their paths. */
export const loginPage: string = SAOMA_PAGE
export const devicesPage = 'pages/devices/index'
