//! The functions of NVIDIA's libraries, passed on to libraries that are opened at run time.
//!
//! cudarc and dfdx name these functions as if they were linked. They are defined here, so that a
//! program built with CUDA starts on a machine without NVIDIA's libraries; [`open`] finds them.
//!
//! Every call passes here, so this is where a lost GPU is noticed: after an error that no context
//! survives (an illegal access, an uncorrectable memory error), functions fail without asking the
//! driver, and those that give things back succeed. cudarc's destructors unwrap what they get and
//! would otherwise abort the process.
#![expect(unsafe_code, reason = "functions of C libraries are defined and called")]

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_longlong, c_uchar, c_uint, c_void};
use std::path::PathBuf;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

use cudarc::cublas::sys::{cublasHandle_t, cublasOperation_t, cudaStream_t};
use cudarc::driver::sys::{
    CUcontext, CUdevice, CUdevice_attribute, CUdeviceptr, CUevent, CUfunction, CUmemPool_attribute,
    CUmemoryPool, CUmodule, CUstream,
};
use libloading::Library;

/// Why NVIDIA's libraries cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum LibraryError {
    /// There is no driver.
    #[error("there is no NVIDIA driver: `libcuda.so.1` was not found")]
    NoDriver,
    /// There is no cuBLAS.
    #[error(
        "`libcublas.so.13` was not found; install cuBLAS 13, for example with `pip install \
         nvidia-cublas`, and put its folder on `LD_LIBRARY_PATH`"
    )]
    NoCublas,
    /// A library lacks a function.
    #[error("`{library}` has no `{function}`; install NVIDIA's driver 580 or later")]
    Lacks {
        /// The file.
        library: &'static str,
        /// The function.
        function: &'static str,
    },
}

const SUCCESS: c_int = 0;
/// `CUDA_ERROR_NOT_INITIALIZED`.
const DRIVER_NOT_OPEN: c_int = 3;
/// `CUBLAS_STATUS_NOT_INITIALIZED`.
const CUBLAS_NOT_OPEN: c_int = 1;
/// `NVRTC_ERROR_INTERNAL_ERROR`.
const NO_COMPILER: c_int = 11;
/// `CUDA_ERROR_UNKNOWN`.
const UNKNOWN: c_int = 999;

/// Errors that no context survives: the device is gone, its memory is damaged, or a kernel went
/// wrong.
const FATAL: [c_int; 15] =
    [4, 46, 214, 220, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, UNKNOWN];

/// The error that lost the GPU, or 0.
static LOST: AtomicI32 = AtomicI32::new(SUCCESS);

thread_local! {
    /// The last error of the driver on this thread, or 0.
    static LAST: Cell<c_int> = const { Cell::new(SUCCESS) };
    /// The context that is current on this thread.
    static CURRENT: Cell<CUcontext> = const { Cell::new(ptr::null_mut()) };
}

/// Returns the error of the driver that lost the GPU to this process, if one did.
pub(super) fn lost() -> Option<c_int> {
    Some(LOST.load(Ordering::Relaxed)).filter(|&code| code != SUCCESS)
}

/// Returns the last error of the driver on this thread since this was last asked.
pub(super) fn take_last_error() -> Option<c_int> {
    Some(LAST.replace(SUCCESS)).filter(|&code| code != SUCCESS)
}

/// Returns what the driver says of one of its errors.
pub(super) fn words(code: c_int) -> String {
    let mut text = ptr::null();
    // SAFETY: the driver gives a text that lives as long as the program, or nothing.
    let text = unsafe {
        cuGetErrorString(code, &raw mut text);
        (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy())
    };
    let text = text.unwrap_or("an error without a name".into());
    format!("{} (CUDA error {code})", text.trim_end_matches('.'))
}

/// Notes an error, and returns it as cudarc knows it.
fn noted(code: c_int) -> c_int {
    if code == SUCCESS {
        return code;
    }
    LAST.set(code);
    if FATAL.contains(&code) {
        let _ = LOST.compare_exchange(SUCCESS, code, Ordering::Relaxed, Ordering::Relaxed);
    }
    if is_known(code) { code } else { UNKNOWN }
}

/// Whether the bindings of cudarc have a name for an error; they turn it into an `enum` unseen.
fn is_known(code: c_int) -> bool {
    matches!(
        code,
        0..=8 | 34 | 46 | 100..=102 | 200..=202 | 205..=224 | 300..=304 | 400 | 401 | 500 | 600
            | 700..=705 | 708..=720 | 800..=810 | 900..=912 | 999
    )
}

/// What a function does once the GPU is lost.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AfterLoss {
    Fails,
    /// It gives something back, and a destructor calls it.
    Succeeds,
}

fn driver(after_loss: AfterLoss, call: impl FnOnce(&Driver) -> c_int) -> c_int {
    match (lost(), after_loss) {
        (Some(code), AfterLoss::Fails) => return if is_known(code) { code } else { UNKNOWN },
        (Some(_), AfterLoss::Succeeds) => return SUCCESS,
        (None, _) => {}
    }
    let code = noted(DRIVER.get().map_or(DRIVER_NOT_OPEN, call));
    if lost().is_some() && after_loss == AfterLoss::Succeeds { SUCCESS } else { code }
}

fn cublas(after_loss: AfterLoss, call: impl FnOnce(&Cublas) -> c_int) -> c_int {
    if lost().is_some() && after_loss == AfterLoss::Succeeds {
        return SUCCESS;
    }
    CUBLAS.get().map_or(CUBLAS_NOT_OPEN, call)
}

/// Defines functions of a library, and the table of where they are. Those under `by hand` are only
/// put into the table.
macro_rules! functions {
    ($table:ident by $through:ident:
        by hand { $($other:ident($($other_type:ty),*);)* }
        $($after_loss:ident { $($name:ident($($argument:ident: $type:ty),*);)* })*
    ) => {
        #[expect(non_snake_case, reason = "these are the library's names")]
        struct $table {
            $($($name: unsafe extern "C" fn($($type),*) -> c_int,)*)*
            $($other: unsafe extern "C" fn($($other_type),*) -> c_int,)*
        }

        impl $table {
            fn of(library: &Library, file: &'static str) -> Result<Self, LibraryError> {
                let lacks = |function| LibraryError::Lacks { library: file, function };
                // SAFETY: the types are those of the library's header.
                unsafe {
                    Ok(Self {
                        $($($name: *library
                            .get(stringify!($name))
                            .map_err(|_| lacks(stringify!($name)))?,)*)*
                        $($other: *library
                            .get(stringify!($other))
                            .map_err(|_| lacks(stringify!($other)))?,)*
                    })
                }
            }
        }

        $($(
            // SAFETY: nobody else defines the name, for the library is not linked.
            #[unsafe(no_mangle)]
            #[allow(clippy::too_many_arguments, reason = "these are the library's arguments")]
            unsafe extern "C" fn $name($($argument: $type),*) -> c_int {
                // SAFETY: the caller keeps the function's contract.
                $through(AfterLoss::$after_loss, |table| unsafe { (table.$name)($($argument),*) })
            }
        )*)*
    };
}

functions! { Driver by driver:
    by hand {
        cuGetErrorString(c_int, *mut *const c_char);
        cuCtxSetCurrent(CUcontext);
        cuMemAllocAsync(*mut CUdeviceptr, usize, CUstream);
        cuMemFreeAsync(CUdeviceptr, CUstream);
    }
    Fails {
        cuInit(flags: c_uint);
        cuDriverGetVersion(version: *mut c_int);
        cuDeviceGetCount(count: *mut c_int);
        cuDeviceGet(device: *mut CUdevice, index: c_int);
        cuDeviceGetAttribute(value: *mut c_int, attribute: CUdevice_attribute, device: CUdevice);
        cuDeviceGetDefaultMemPool(pool: *mut CUmemoryPool, device: CUdevice);
        cuMemPoolSetAttribute(pool: CUmemoryPool, attribute: CUmemPool_attribute, value: *mut c_void);
        cuDevicePrimaryCtxRetain(context: *mut CUcontext, device: CUdevice);
        cuModuleLoad(module: *mut CUmodule, file: *const c_char);
        cuModuleLoadData(module: *mut CUmodule, image: *const c_void);
        cuModuleGetFunction(function: *mut CUfunction, module: CUmodule, name: *const c_char);
        cuLaunchKernel(
            function: CUfunction,
            grid_x: c_uint, grid_y: c_uint, grid_z: c_uint,
            block_x: c_uint, block_y: c_uint, block_z: c_uint,
            shared_bytes: c_uint,
            stream: CUstream,
            parameters: *mut *mut c_void,
            extra: *mut *mut c_void
        );
        cuMemGetInfo_v2(free: *mut usize, total: *mut usize);
        cuMemAlloc_v2(address: *mut CUdeviceptr, bytes: usize);
        cuMemcpyHtoD_v2(to: CUdeviceptr, from: *const c_void, bytes: usize);
        cuMemcpyDtoH_v2(to: *mut c_void, from: CUdeviceptr, bytes: usize);
        cuMemcpyDtoD_v2(to: CUdeviceptr, from: CUdeviceptr, bytes: usize);
        cuMemcpyHtoDAsync_v2(to: CUdeviceptr, from: *const c_void, bytes: usize, stream: CUstream);
        cuMemcpyDtoHAsync_v2(to: *mut c_void, from: CUdeviceptr, bytes: usize, stream: CUstream);
        cuMemcpyDtoDAsync_v2(to: CUdeviceptr, from: CUdeviceptr, bytes: usize, stream: CUstream);
        cuMemsetD8_v2(to: CUdeviceptr, value: c_uchar, count: usize);
        cuMemsetD8Async(to: CUdeviceptr, value: c_uchar, count: usize, stream: CUstream);
        cuStreamCreate(stream: *mut CUstream, flags: c_uint);
        cuStreamSynchronize(stream: CUstream);
        cuEventCreate(event: *mut CUevent, flags: c_uint);
    }
    Succeeds {
        cuDevicePrimaryCtxRelease_v2(device: CUdevice);
        cuModuleUnload(module: CUmodule);
        cuMemFree_v2(address: CUdeviceptr);
        cuStreamWaitEvent(stream: CUstream, event: CUevent, flags: c_uint);
        cuStreamDestroy_v2(stream: CUstream);
        cuEventRecord(event: CUevent, stream: CUstream);
        cuEventDestroy_v2(event: CUevent);
    }
}

functions! { Cublas by cublas:
    by hand {}
    Fails {
        cublasCreate_v2(handle: *mut cublasHandle_t);
        cublasSetStream_v2(handle: cublasHandle_t, stream: cudaStream_t);
        cublasSgemmStridedBatched(
            handle: cublasHandle_t,
            transpose_a: cublasOperation_t,
            transpose_b: cublasOperation_t,
            m: c_int, n: c_int, k: c_int,
            alpha: *const f32,
            a: *const f32, leading_a: c_int, stride_a: c_longlong,
            b: *const f32, leading_b: c_int, stride_b: c_longlong,
            beta: *const f32,
            c: *mut f32, leading_c: c_int, stride_c: c_longlong,
            batch: c_int
        );
    }
    Succeeds {
        cublasDestroy_v2(handle: cublasHandle_t);
    }
}

// SAFETY: nobody else defines the name.
#[unsafe(no_mangle)]
unsafe extern "C" fn cuGetErrorString(code: c_int, text: *mut *const c_char) -> c_int {
    // SAFETY: the caller gives a pointer for the text.
    unsafe { *text = c"an unknown error".as_ptr() };
    if let Some(driver) = DRIVER.get() {
        // SAFETY: the same. The driver says that it does not know a code by a null pointer.
        unsafe {
            let mut known = ptr::null();
            (driver.cuGetErrorString)(code, &raw mut known);
            if !known.is_null() {
                *text = known;
            }
        }
    }
    SUCCESS
}

/// Most calls set the context that is there already: cudarc does so before everything it does.
// SAFETY: nobody else defines the name.
#[unsafe(no_mangle)]
unsafe extern "C" fn cuCtxSetCurrent(context: CUcontext) -> c_int {
    if CURRENT.get() == context {
        return SUCCESS;
    }
    // SAFETY: the caller keeps the function's contract.
    let code = driver(AfterLoss::Succeeds, |driver| unsafe { (driver.cuCtxSetCurrent)(context) });
    CURRENT.set(if code == SUCCESS { context } else { ptr::null_mut() });
    code
}

/// dfdx allocates and frees nothing whenever it keeps a tensor's memory: the driver is not asked.
// SAFETY: nobody else defines the name.
#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemAllocAsync(
    address: *mut CUdeviceptr,
    bytes: usize,
    stream: CUstream,
) -> c_int {
    if bytes == 0 {
        // SAFETY: the caller gives a pointer for the address.
        unsafe { *address = 0 };
        return SUCCESS;
    }
    // SAFETY: the caller keeps the function's contract.
    driver(AfterLoss::Fails, |driver| unsafe { (driver.cuMemAllocAsync)(address, bytes, stream) })
}

// SAFETY: nobody else defines the name.
#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemFreeAsync(address: CUdeviceptr, stream: CUstream) -> c_int {
    if address == 0 {
        return SUCCESS;
    }
    // SAFETY: the caller keeps the function's contract.
    driver(AfterLoss::Succeeds, |driver| unsafe { (driver.cuMemFreeAsync)(address, stream) })
}

/// Defines functions of the run-time compiler, which nobody calls: dfdx would compile operations
/// that networks here do not use.
macro_rules! no_compiler {
    ($($name:ident)*) => {
        $(
            // SAFETY: nobody else defines the name.
            #[unsafe(no_mangle)]
            extern "C" fn $name() -> c_int {
                NO_COMPILER
            }
        )*
    };
}

no_compiler! {
    nvrtcCreateProgram nvrtcCompileProgram nvrtcDestroyProgram nvrtcGetPTX nvrtcGetPTXSize
    nvrtcGetProgramLog nvrtcGetProgramLogSize
}

static DRIVER: OnceLock<Driver> = OnceLock::new();
static CUBLAS: OnceLock<Cublas> = OnceLock::new();

/// Opens the driver and cuBLAS, once a process.
///
/// # Errors
/// If one is not there or too old.
pub(super) fn open() -> Result<(), LibraryError> {
    open_driver()?;
    if CUBLAS.get().is_none() {
        let library = cublas_library().ok_or(LibraryError::NoCublas)?;
        let _ = CUBLAS.set(Cublas::of(&library, CUBLAS_FILE)?);
        keep(library);
    }
    Ok(())
}

/// Opens the driver.
///
/// # Errors
/// If there is none, or it is too old.
pub(super) fn open_driver() -> Result<(), LibraryError> {
    if DRIVER.get().is_none() {
        let library = opened(DRIVER_FILE.into()).ok_or(LibraryError::NoDriver)?;
        let _ = DRIVER.set(Driver::of(&library, DRIVER_FILE)?);
        keep(library);
    }
    Ok(())
}

const DRIVER_FILE: &str = "libcuda.so.1";
const CUBLAS_FILE: &str = "libcublas.so.13";

fn opened(file: PathBuf) -> Option<Library> {
    // SAFETY: these libraries are made to be loaded into any program.
    unsafe { Library::new(file) }.ok()
}

/// Never closes a library: its functions are called until the process ends.
fn keep(library: Library) {
    std::mem::forget(library);
}

/// Looks for cuBLAS where the system looks, in the toolkit's usual folder, and in the Python
/// environment that this program is installed in.
fn cublas_library() -> Option<Library> {
    let mut folders = vec![PathBuf::from("/usr/local/cuda/lib64")];
    let program = std::env::current_exe().ok();
    if let Some(environment) = program.as_deref().and_then(|file| file.parent()?.parent())
        && let Ok(versions) = std::fs::read_dir(environment.join("lib"))
    {
        let packages =
            |entry: std::fs::DirEntry| entry.path().join("site-packages/nvidia/cu13/lib");
        folders.extend(versions.flatten().map(packages));
    }
    opened(CUBLAS_FILE.into()).or_else(|| {
        folders.into_iter().find_map(|folder| {
            // Beside the other one, which does not find it there by itself.
            if let Some(light) = opened(folder.join("libcublasLt.so.13")) {
                keep(light);
            }
            opened(folder.join(CUBLAS_FILE))
        })
    })
}
