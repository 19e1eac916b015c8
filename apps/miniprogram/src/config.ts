/** Put in by build.ts. */
declare const SAOMA_ORIGIN: string
declare const SAOMA_PAGE: string
declare const SAOMA_PERSON: string

/** Of the Saoma server. */
export const origin: string = SAOMA_ORIGIN
/** Demo account to be; empty in everything that is published. */
export const person: string = SAOMA_PERSON
/** Path of the page that confirms a login; the other pages lie where they lie here. */
export const loginPage: string = SAOMA_PAGE
export const devicesPage = 'pages/devices/index'
