/** A dish or a drink. `price` is in fen, a hundredth of a yuan. */
export interface Dish {
  id: string
  name: { en: string; zh: string }
  price: number
}

export const menu: readonly Dish[] = [
  { id: 'dumplings', name: { en: 'Pork dumplings', zh: '猪肉水饺' }, price: 2_800 },
  { id: 'noodles', name: { en: 'Beef noodles', zh: '红烧牛肉面' }, price: 3_200 },
  { id: 'mapo', name: { en: 'Mapo tofu', zh: '麻婆豆腐' }, price: 2_600 },
  { id: 'kungpao', name: { en: 'Kung pao chicken', zh: '宫保鸡丁' }, price: 3_800 },
  { id: 'greens', name: { en: 'Garlic greens', zh: '蒜蓉青菜' }, price: 1_800 },
  { id: 'rice', name: { en: 'Steamed rice', zh: '米饭' }, price: 300 },
  { id: 'tea', name: { en: 'Jasmine tea', zh: '茉莉花茶' }, price: 1_200 },
  { id: 'soymilk', name: { en: 'Soy milk', zh: '豆浆' }, price: 600 },
]

export const isOnMenu = (id: string): boolean => menu.some((dish) => dish.id === id)
