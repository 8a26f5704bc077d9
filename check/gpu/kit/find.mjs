// What a machine has for a GPU's driver, and the ways to set the environment so that Vulkan's loader finds it. Nothing is set but variables of
// the processes that the kit starts.
//
//   const found = look();
//   for (const {what, env} of waysTo(found)) ..
//   console.log(advice(found, tries));
import {spawnSync} from 'node:child_process';
import {accessSync, constants, existsSync, readdirSync} from 'node:fs';
import {root} from '../../../tools/build.mjs';
import {gpuDevices} from '../adapter.mjs';

const kFallback = `${root}fallback`;
const kLoader = 'libvulkan.so.1';
// NVIDIA's Vulkan driver is in both. The first needs X11's libraries, which a machine without a screen may lack.
const kNvidia = ['libGLX_nvidia.so.0', 'libEGL_nvidia.so.0'];
// Where clusters mount a driver, beside its ICD file.
const kNvidiaLibraries = '/usr/local/nvidia/lib64';

const listed = (list, otherwise) => (list ? list.split(':').filter(Boolean) : otherwise);

/** Where the loader looks for ICD files, which tell it of drivers, and where it does not but drivers' packages put them. */
function icdFolders(env) {
  const atHome = (folder) => (env.HOME ? [`${env.HOME}/${folder}`] : []);
  const bases = [
    ...listed(env.XDG_CONFIG_HOME, atHome('.config')),
    ...listed(env.XDG_CONFIG_DIRS, ['/etc/xdg']),
    '/etc',
    ...listed(env.XDG_DATA_HOME, atHome('.local/share')),
    ...listed(env.XDG_DATA_DIRS, ['/usr/local/share', '/usr/share']),
  ];
  const others = ['/usr/local/etc', '/usr/local/nvidia/share', '/run/opengl-driver/share', '/opt/amdgpu/share', '/opt/amdgpu/etc'];
  const folders = (list) => list.map((base) => `${base}/vulkan/icd.d`);
  return {searched: folders(bases), elsewhere: folders(others.filter((base) => !bases.includes(base)))};
}

const icdsIn = (folders) =>
  folders.filter((folder) => existsSync(folder)).flatMap((folder) => readdirSync(folder).filter((name) => name.endsWith('.json')).map((name) => `${folder}/${name}`));

/** Why a library does not load, in a process of its own, or ''. Node loads it as a module and says that it is none. */
function whyNot(library, env) {
  const {stderr} = spawnSync(process.execPath, ['-e', 'process.dlopen({exports: {}}, process.argv[1])', library], {env, encoding: 'utf8', timeout: 20e3});
  return stderr.match(/Error: (.*(?:cannot open|undefined symbol|not found|wrong ELF|invalid ELF).*)/)?.[1] ?? '';
}

const permits = (path) => {
  try {
    return accessSync(path, constants.R_OK | constants.W_OK), true;
  } catch {
    return false;
  }
};

/** {env, chosen, devices, closed, loader, icds, elsewhere, folders, nvidia}. */
export function look(env = process.env) {
  const {searched, elsewhere} = icdFolders(env);
  const devices = gpuDevices();
  const more = existsSync(kNvidiaLibraries) ? [kNvidiaLibraries] : [];
  const withPath = (folders) => ({...env, LD_LIBRARY_PATH: [...listed(env.LD_LIBRARY_PATH, []), ...folders].join(':')});
  const isLoaderMissing = Boolean(whyNot(kLoader, withPath(more)));
  const paths = [...more, ...(isLoaderMissing ? [`${kFallback}/lib`] : [])];
  const kit = paths.length ? withPath(paths) : env;
  return {
    env: kit,
    chosen: env.VK_DRIVER_FILES || env.VK_ICD_FILENAMES || '',
    devices,
    closed: devices.filter((path) => !permits(path)),
    loader: whyNot(kLoader, kit) || (isLoaderMissing ? "the kit's" : "the system's"),
    icds: icdsIn(searched),
    elsewhere: icdsIn(elsewhere),
    folders: [...searched, ...elsewhere],
    nvidia: Object.fromEntries(kNvidia.map((library) => [library, whyNot(library, kit)])),
  };
}

/** [{what, env}], to be tried in this order until one gives a GPU. What the user has chosen is the only one. */
export function waysTo({env, chosen, elsewhere, nvidia}) {
  if (chosen) return [{what: `with the chosen ${chosen}`, env}];
  const by = (file, what, more = {}) => ({what, env: {...env, VK_DRIVER_FILES: file, VK_ICD_FILENAMES: file, ...more}});
  const ownOf = (library) => `${kFallback}/${library.match(/lib(\w+?)_/)[1].toLowerCase()}_nvidia_icd.json`;
  // What is here but for a library that it needs does not load either; another one may be missing when it is asked for an adapter.
  const here = kNvidia.filter((library) => !nvidia[library].startsWith(library));
  const needed = {LD_LIBRARY_PATH: [...listed(env.LD_LIBRARY_PATH, []), `${kFallback}/nvidia`].join(':')};
  return [
    {what: 'as the machine is set', env},
    ...elsewhere.map((file) => by(file, `with ${file}`)),
    ...here.filter((library) => !nvidia[library]).map((library) => by(ownOf(library), `with the kit's ICD file for ${library}`)),
    ...here.map((library) => by(ownOf(library), `with the kit's ICD file for ${library}, and the libraries that it loads`, needed)),
  ];
}

/** What was looked for where there is no adapter, or software alone beside a GPU, and what to do. */
export function advice({chosen, devices, closed, loader, icds, elsewhere, folders, nvidia}, tries) {
  const isNvidia = devices.some((path) => path.includes('nvidia'));
  const isNvidiaLoaded = Object.values(nvidia).some((why) => !why);
  const todo = [];
  if (chosen) todo.push(`VK_DRIVER_FILES or VK_ICD_FILENAMES is set to ${chosen}, so that nothing else was tried: unset it.`);
  if (!devices.length) todo.push('This machine shows no GPU. A container gets one with --gpus all (NVIDIA) or --device /dev/dri (AMD, Intel).');
  if (closed.length) todo.push(`Nobody lets this user open ${closed.join(', ')}: run as root, or as a member of the files' groups (render, video).`);
  if (isNvidia && !isNvidiaLoaded)
    todo.push("NVIDIA's Vulkan driver is missing: in a container set NVIDIA_DRIVER_CAPABILITIES=all; elsewhere install the driver's libnvidia-gl of the version in /proc/driver/nvidia/version. A library that its message names is to be installed (libxext6, libegl1).");
  if (devices.some((path) => path.includes('dri')) && !isNvidia && !icds.length) todo.push('There is no Vulkan driver: install mesa-vulkan-drivers (AMD, Intel).');
  if (!todo.length) todo.push('The drivers are here and give no adapter of a GPU: what the loader said above is the cause; vulkaninfo --summary (vulkan-tools) must list the GPU.');
  return [
    'No adapter of a GPU was found. What was looked for:',
    `  device files: ${devices.join(', ') || 'none of /dev/nvidia*, /dev/dri/renderD*, /dev/kfd'}`,
    `  Vulkan's loader, ${kLoader}: ${loader}`,
    `  ICD files: ${[...icds, ...elsewhere].join(', ') || `none in ${folders.join(', ')}`}`,
    ...Object.entries(nvidia).map(([library, why]) => `  ${library}: ${why || 'is here'}`),
    ...tries.map(({what, why}) => `  tried ${what}: ${why.replaceAll('\n', '\n    ')}`),
    'What to do:',
    ...todo.map((text) => `  ${text}`),
  ].join('\n');
}
