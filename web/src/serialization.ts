// Classes of the program that descriptions name: a model that is loaded finds a layer's class by the name that was registered.
//
//   class Scale extends tf.layers.Layer {
//     static className = 'Scale';
//   }
//   tf.serialization.registerClass(Scale);

import {shown} from './samples.js';

export type Config = Record<string, unknown>;
/** A class that can be registered. */
export interface SerializableConstructor<T = object> {
  new (...args: never[]): T;
  className: string;
  fromConfig?(cls: SerializableConstructor<T>, config: Config): unknown;
}

/** What can be described by the name of its class and a config. */
export abstract class Serializable {
  getClassName(): string {
    return (this.constructor as unknown as {className: string}).className;
  }
  abstract getConfig(): Config;
  static fromConfig<T>(cls: SerializableConstructor<T>, config: Config): T {
    return new (cls as unknown as new (config: Config) => T)(config);
  }
}

type Entry = [SerializableConstructor, SerializableConstructor['fromConfig']];

/** All classes that were registered, by their names. */
export class SerializationMap {
  private static instance?: SerializationMap;
  classNameMap: Record<string, Entry> = {};

  static getMap(): SerializationMap {
    return (SerializationMap.instance ??= new SerializationMap());
  }
  static register(cls: SerializableConstructor): void {
    SerializationMap.getMap().classNameMap[cls.className] = [cls, cls.fromConfig];
  }
}

const names = new WeakMap<object, string>();

/** Makes a class known by its `className`, to which descriptions refer. `pkg` and `name` are of getRegisteredName alone. */
export function registerClass<T extends SerializableConstructor>(cls: T, pkg = 'Custom', name = cls?.className): T {
  const {className} = cls ?? {};
  if (typeof className !== 'string' || className === '') {
    throw new Error(`registerClass takes a class with a static className, a text that is not empty, got ${typeof cls === 'function' ? `the className ${shown(className)}` : shown(cls)}`);
  }
  SerializationMap.register(cls);
  names.set(cls, `${pkg}>${name}`);
  return cls;
}
/** "Custom>Scale"; of a class that was not registered its className. */
export const getRegisteredName = (cls: SerializableConstructor): string => names.get(cls) ?? cls.className;

/** An object of the class of this name; undefined where there is none. */
export function fromRegistered(className: string, config: Config): unknown {
  const entry = Object.hasOwn(SerializationMap.getMap().classNameMap, className) ? SerializationMap.getMap().classNameMap[className] : undefined;
  if (!entry) return undefined;
  const [cls, fromConfig] = entry;
  return fromConfig ? fromConfig.call(cls, cls, config) : new (cls as unknown as new (config: Config) => object)(config);
}
