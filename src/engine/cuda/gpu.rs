//! A GPU as one thread sees it: opened, tried out, and asked for its memory.
#![expect(unsafe_code, reason = "functions of the driver are called on pointers")]

use std::cell::RefCell;
use std::ffi::c_int;
use std::sync::Arc;

use cudarc::driver::sys::{self, CUdevice_attribute, CUmemPool_attribute};
use cudarc::driver::{CudaDevice, DriverError, result};
use dfdx::prelude::{TensorFromVec, TryMatMul};
use dfdx::tensor::{Cuda, CudaError};

use super::super::EngineError;
use super::super::geometry::Volume;
use super::super::portable::{Packed, Source};
use super::library::{self, LibraryError};
use super::source::{Held, KernelSource, PTX};

/// `CUDA_ERROR_UNSUPPORTED_PTX_VERSION`.
const UNSUPPORTED_PTX_VERSION: c_int = 222;

/// One GPU, opened by one thread.
#[derive(Clone)]
pub(super) struct Gpu {
    index: usize,
    /// dfdx's handle, which cannot leave its thread.
    pub(super) dfdx: Cuda,
    /// cudarc's handle.
    pub(super) driver: Arc<CudaDevice>,
    /// Images that lie on the GPU.
    pub(super) held: Held,
}

thread_local! {
    static OPENED: RefCell<Option<Gpu>> = const { RefCell::new(None) };
}

/// Returns what an error of dfdx means.
pub(super) fn explained(error: &CudaError) -> String {
    match error {
        CudaError::Driver(error) => library::words(error.0 as c_int),
        CudaError::Blas(error) => format!("cuBLAS failed with status {}", error.0 as c_int),
        CudaError::Cpu(error) => error.to_string(),
    }
}

impl Gpu {
    /// Returns the GPU of an index, opened and tried out on this thread.
    ///
    /// # Errors
    /// If NVIDIA's libraries or the GPU are not there, the driver is too old, or the GPU computes
    /// wrong numbers.
    pub(super) fn open(index: usize) -> Result<Self, EngineError> {
        OPENED.with_borrow_mut(|opened| match opened {
            Some(gpu) if gpu.index == index => Ok(gpu.clone()),
            _ => Ok(opened.insert(Self::opened(index)?).clone()),
        })
    }

    /// Returns the GPU that this thread has opened.
    ///
    /// # Panics
    /// If it has opened none.
    pub(super) fn of_this_thread() -> Self {
        let gpu = OPENED.with_borrow(Clone::clone);
        gpu.expect("whoever has a tensor on a GPU has opened it")
    }

    fn opened(index: usize) -> Result<Self, EngineError> {
        let refused = |reason: String| EngineError::Unsupported(reason);
        let failed = |error: DriverError| refused(library::words(error.0 as c_int));
        library::open().map_err(|error: LibraryError| refused(error.to_string()))?;
        // What `CudaDevice::new` would panic on.
        result::init().map_err(failed)?;
        let count = CudaDevice::count().map_err(failed)?;
        if !usize::try_from(count).is_ok_and(|count| index < count) {
            return Err(refused(format!(
                "there is no `cuda:{index}`; of GPUs the driver counts {count}, from 0"
            )));
        }
        keep_memory(index)?;
        let driver = CudaDevice::new(index).map_err(failed)?;
        let dfdx = Cuda::try_build(index, 0).map_err(|error| refused(explained(&error)))?;
        let gpu = Self { index, dfdx, driver, held: Held::default() };
        gpu.try_out()?;
        Ok(gpu)
    }

    /// Runs kernels of our own, of dfdx and of cuBLAS, and compares what they give.
    fn try_out(&self) -> Result<(), EngineError> {
        let failed = |error: &CudaError| match error {
            CudaError::Driver(error) if error.0 as c_int == UNSUPPORTED_PTX_VERSION => {
                EngineError::Unsupported(too_old())
            }
            error => EngineError::Unsupported(format!(
                "`cuda:{}` does not run kernels: {}",
                self.index,
                explained(error)
            )),
        };
        let (expected, found) = self.product().map_err(|error| failed(&error))?;
        if found == expected {
            return Ok(());
        }
        Err(EngineError::Unsupported(format!(
            "`cuda:{}` computes wrong numbers: a product gave {found:?}, expected {expected:?}",
            self.index
        )))
    }

    /// Returns a product of small whole numbers, which are exact in every order, as it is and as
    /// this GPU computes it.
    fn product(&self) -> Result<(Vec<f32>, Vec<f32>), CudaError> {
        const ROWS: usize = 3;
        const DEPTH: usize = 4;
        const IMAGES: usize = 2;
        let input = Volume { channels: 1, height: 2, width: 2 };
        let pixels: Vec<f32> = (0..DEPTH * IMAGES).map(|at| (at * at % 7) as f32).collect();
        let weights: Vec<f32> = (0..ROWS * DEPTH).map(|at| at as f32 - 5.0).collect();
        let mut source =
            KernelSource::new(self.dfdx.clone(), self.driver.clone(), Held::default())?;
        let x: Packed<Cuda> = source.sent(&[&pixels], input, IMAGES)?;
        let w: Packed<Cuda> = self.dfdx.try_tensor_from_vec(weights.clone(), (1, ROWS, DEPTH))?;
        let product = |row: usize, image: usize| -> f32 {
            (0..DEPTH).map(|at| weights[row * DEPTH + at] * pixels[image * DEPTH + at]).sum()
        };
        let expected = (0..ROWS).flat_map(|row| (0..IMAGES).map(move |image| (row, image)));
        let expected = expected.map(|(row, image)| product(row, image)).collect();
        Ok((expected, w.try_matmul(x)?.as_vec()))
    }

    /// Returns the free bytes.
    pub(super) fn free_bytes(&self) -> Result<u64, EngineError> {
        let failed = |error: DriverError| {
            EngineError::Device(format!(
                "cannot ask for free memory: {}",
                library::words(error.0 as c_int)
            ))
        };
        self.driver.bind_to_thread().map_err(failed)?;
        let (free, _) = result::mem_get_info().map_err(failed)?;
        Ok(free as u64)
    }
}

/// Lets the driver keep freed memory for the next allocation instead of giving it back whenever the
/// program waits for the GPU.
fn keep_memory(index: usize) -> Result<(), EngineError> {
    let failed = |error: DriverError| EngineError::Unsupported(library::words(error.0 as c_int));
    let device = result::device::get(index as i32).map_err(failed)?;
    let attribute = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED;
    // SAFETY: the device is there.
    let has_pools =
        unsafe { result::device::get_attribute(device, attribute) }.map_err(failed)? > 0;
    if !has_pools {
        return Err(EngineError::Unsupported(format!(
            "`cuda:{index}` has no memory pools, which training needs (an older virtual GPU?)"
        )));
    }
    let mut pool = std::ptr::null_mut();
    let mut threshold = u64::MAX;
    // SAFETY: the attribute is a number of 64 bits, and the pool that of a device that has pools.
    unsafe {
        sys::cuDeviceGetDefaultMemPool(&raw mut pool, device).result().map_err(failed)?;
        sys::cuMemPoolSetAttribute(
            pool,
            CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD,
            (&raw mut threshold).cast(),
        )
        .result()
        .map_err(failed)
    }
}

/// Says that the driver does not understand this program's kernels.
fn too_old() -> String {
    let mut version = 0;
    // SAFETY: the pointer is to a number.
    unsafe { sys::cuDriverGetVersion(&raw mut version) };
    let ptx = PTX.split_once(".version").and_then(|(_, rest)| rest.split_whitespace().next());
    format!(
        "the NVIDIA driver is too old: it supports CUDA {}.{}, and this program's kernels are PTX \
         {}; install driver 580 or later",
        version / 1000,
        version / 10 % 100,
        ptx.unwrap_or("of an unknown version"),
    )
}
