// `libcublas.so.13` without a GPU: the product of matrices that dfdx calls, with cuBLAS's checks.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace emulator {
bool submit_product(void *stream, const std::map<uint64_t, size_t> &operands, const char *name, uint64_t operations,
                    std::function<void()> work);
void say(const std::string &what);
} // namespace emulator

namespace {

enum Status { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, EXECUTION_FAILED = 13 };

struct Handle {
    void *stream = nullptr;
};

// A column-major operand; stored transposed or not.
struct Operand {
    const float *values;
    bool is_transposed;
    int rows, columns; // as multiplied
    int leading;       // distance of stored columns

    size_t extent() const {
        int stored_rows = is_transposed ? columns : rows, stored_columns = is_transposed ? rows : columns;
        return rows && columns ? (size_t)(stored_columns - 1) * leading + stored_rows : 0;
    }
    bool is_valid() const { return rows >= 0 && columns >= 0 && leading >= std::max(1, is_transposed ? columns : rows); }
    float at(int row, int column) const {
        return is_transposed ? values[(size_t)row * leading + column] : values[(size_t)column * leading + row];
    }
};

// C = alpha A B + beta C.
void multiply(const Operand &a, const Operand &b, float alpha, float beta, float *c, int leading) {
    int rows = a.rows, depth = a.columns;
    std::vector<float> left((size_t)rows * depth), sums(rows);
    for (int k = 0; k < depth; k++)
        for (int row = 0; row < rows; row++) left[(size_t)k * rows + row] = a.at(row, k);
    for (int column = 0; column < b.columns; column++) {
        std::fill(sums.begin(), sums.end(), 0.0f);
        for (int k = 0; k < depth; k++) {
            const float *from = &left[(size_t)k * rows], factor = b.at(k, column);
            for (int row = 0; row < rows; row++) sums[row] += from[row] * factor;
        }
        float *to = c + (size_t)column * leading;
        // With beta = 0, C is not read: it may be NaN.
        for (int row = 0; row < rows; row++) to[row] = alpha * sums[row] + (beta == 0 ? 0 : beta * to[row]);
    }
}

} // namespace

extern "C" {

int cublasCreate_v2(Handle **handle) {
    *handle = new Handle;
    return SUCCESS;
}
int cublasDestroy_v2(Handle *handle) {
    delete handle;
    return SUCCESS;
}
int cublasSetStream_v2(Handle *handle, void *stream) {
    if (!handle) return NOT_INITIALIZED;
    handle->stream = stream;
    return SUCCESS;
}

int cublasSgemmStridedBatched(Handle *handle, int transpose_a, int transpose_b, int m, int n, int k,
                              const float *alpha, const float *a, int leading_a, long long stride_a, const float *b,
                              int leading_b, long long stride_b, const float *beta, float *c, int leading_c,
                              long long stride_c, int batch) {
    if (!handle) return NOT_INITIALIZED;
    Operand left{a, transpose_a != 0, m, k, leading_a}, right{b, transpose_b != 0, k, n, leading_b};
    Operand product{c, false, m, n, leading_c};
    if (!left.is_valid() || !right.is_valid() || !product.is_valid() || batch < 0) {
        emulator::say("cublasSgemmStridedBatched with impossible sizes");
        return INVALID_VALUE;
    }
    std::map<uint64_t, size_t> operands;
    auto add = [&](const Operand &operand, long long stride) {
        size_t values = batch ? stride * (batch - 1) + operand.extent() : 0;
        size_t &bytes = operands[(uint64_t)operand.values];
        bytes = std::max(bytes, values * sizeof(float));
    };
    add(left, stride_a), add(right, stride_b), add(product, stride_c);
    // The factors lie on the host and are read now.
    auto work = [=, alpha = *alpha, beta = *beta] {
        for (int i = 0; i < batch; i++) {
            Operand left_of = left, right_of = right;
            left_of.values += i * stride_a;
            right_of.values += i * stride_b;
            multiply(left_of, right_of, alpha, beta, c + i * stride_c, leading_c);
        }
    };
    uint64_t operations = 2ull * m * n * k * batch;
    bool taken = emulator::submit_product(handle->stream, operands, "cublasSgemmStridedBatched", operations, work);
    return taken ? SUCCESS : EXECUTION_FAILED;
}

} // extern "C"
