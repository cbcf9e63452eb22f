//! Operations of a step by kernels of our own where stock dfdx is slow: on its tape, like the
//! CPU's.
//!
//! dfdx gives away the memory of gradients, not of values: so backward steps can be ours, and
//! forward steps stay dfdx's.
#![expect(unsafe_code, reason = "kernels are launched on raw pointers")]

use std::rc::Rc;

use cudarc::driver::{CudaSlice, DevicePtr, LaunchAsync, LaunchConfig};
use dfdx::prelude::{HasShape, PutTape, SplitTape, Tape};
use dfdx::tensor::{Cuda, CudaError};

use super::super::portable::{Packed, Rows, stock};
use super::gpu::Gpu;
use super::source::MODULE;

/// Which gathered rows came from each row of the input, on the GPU.
struct Copies {
    /// Where the list of each row begins in `outputs`, and where the last one ends.
    first: CudaSlice<u32>,
    outputs: CudaSlice<u32>,
}

/// Threads of a block, along images and along rows.
const THREADS: (u32, u32) = (32, 8);

/// Gathers rows and zeros.
///
/// The gradient of an input row is the sum of those of its copies, in order: without atomics, and
/// without a gradient of the zeros.
pub(super) fn gather_rows<T: Tape<f32, Cuda>>(
    x: Packed<Cuda, T>,
    rows: &Rows<Cuda>,
) -> Result<Packed<Cuda, T>, CudaError> {
    let (x, mut tape) = x.split_tape();
    let (models, inputs, images) = *x.shape();
    let from = x.ghost();
    let y = stock::gather_rows(x, rows)?;
    if !T::OWNS_TAPE {
        return Ok(y.put_tape(tape));
    }
    let (to, gathered) = (y.ghost(), y.shape().1);
    let gpu = Gpu::of_this_thread();
    let copies: Rc<Copies> = rows.kept(|| {
        let (first, outputs) = rows.copies();
        let driver = &gpu.driver;
        Ok::<_, CudaError>(Copies {
            first: driver.htod_copy(first)?,
            outputs: driver.htod_copy(outputs)?,
        })
    })?;
    tape.add_backward_op(move |gradients| {
        let above = *gradients.get_or_alloc_mut(&to)?.device_ptr();
        let below = *gradients.get_or_alloc_mut(&from)?.device_ptr();
        let [inputs, gathered, images] = [inputs, gathered, images].map(|size| size as u32);
        let config = LaunchConfig {
            grid_dim: (images.div_ceil(THREADS.0), inputs.div_ceil(THREADS.1), models as u32),
            block_dim: (THREADS.0, THREADS.1, 1),
            shared_mem_bytes: 0,
        };
        let kernel = gpu.driver.get_func(MODULE, "gather_gradient");
        let kernel = kernel.expect("the module was loaded when the GPU was opened");
        let arguments = (below, above, &copies.first, &copies.outputs, inputs, gathered, images);
        // SAFETY: `below` has `models · inputs · images` values, `above` `models · gathered ·
        // images`; the lists name no row beyond these.
        unsafe { kernel.launch(config, arguments) }?;
        Ok(())
    });
    Ok(y.put_tape(tape))
}
