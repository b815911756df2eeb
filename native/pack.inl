// Panels of a right factor: its columns side by side.

// Columns of a matrix as they lie, row by row.
void pack_rows(const float* b, int64_t row_stride, int64_t rows, int64_t columns, float* to) {
    if (columns == panel) {
        for (int64_t k = 0; k < rows; ++k, b += row_stride, to += panel) {
            __builtin_prefetch(b + 16 * row_stride);
            if (panel > 16) __builtin_prefetch(b + 16 * row_stride + 16);  // a second line
            store(load(b), to);
            store(load(b + lanes), to + lanes);
        }
        return;
    }
    const int64_t low = columns < lanes ? columns : lanes;
    for (int64_t k = 0; k < rows; ++k, b += row_stride, to += panel) {
        store(load_part(b, low), to);
        store(load_part(b + low, columns - low), to + lanes);
    }
}

// Columns that are contiguous are turned in registers.
void pack_columns(const float* b, int64_t column_stride, int64_t rows, int64_t columns, float* to) {
    int64_t done = 0;
    if (columns == panel) {
        for (; done + 4 <= rows; done += 4, b += 4) {
            turn_block(b, column_stride, to + done * panel, panel);
            turn_block(b + lanes * column_stride, column_stride, to + done * panel + lanes, panel);
        }
    }
    for (; done < rows; ++done, ++b) {
        for (int64_t j = 0; j < panel; ++j) to[done * panel + j] = j < columns ? b[j * column_stride] : 0;
    }
}

void pack(const float* b, int64_t row_stride, int64_t column_stride, int64_t rows, int64_t columns, float* to) {
    if (column_stride == 1) return pack_rows(b, row_stride, rows, columns, to);
    if (row_stride == 1) return pack_columns(b, column_stride, rows, columns, to);
    for (int64_t k = 0; k < rows; ++k, b += row_stride, to += panel) {
        for (int64_t j = 0; j < panel; ++j) to[j] = j < columns ? b[j * column_stride] : 0;
    }
}
