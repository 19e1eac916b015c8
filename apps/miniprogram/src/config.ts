/** build.ts sets these. */
declare const SAOMA_ORIGIN: string
declare const SAOMA_PAGE: string
declare const SAOMA_PERSON: string
declare const SAOMA_APP: string
declare const SAOMA_PHONE_NUMBER: boolean
declare const SAOMA_LOGIN_TEMPLATE: string

/** Origin of the Saoma server. */
export const origin: string = SAOMA_ORIGIN
/** The demo account to use. Empty in everything that is published. */
export const person: string = SAOMA_PERSON
/** Appid of the mini-program. Empty if it is the server's first one. */
export const app: string = SAOMA_APP
/** Whether people are asked for their phone number. */
export const asksPhoneNumber: boolean = SAOMA_PHONE_NUMBER
/** Id of the template of the message about a request to log in. Empty: there is none. */
export const loginTemplate: string = SAOMA_LOGIN_TEMPLATE
/** Path of the page that confirms a login. The other pages keep their paths. */
export const loginPage: string = SAOMA_PAGE
export const devicesPage = 'pages/devices/index'
