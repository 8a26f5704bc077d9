"""ONNX Runtime, natively: a program of docs/study.md. It reads the model.onnx that onnxruntime-web has as well."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))

import native

PROVIDER = 'CPUExecutionProvider'


class OnnxRuntime:
    def __init__(self, backend):
        global onnxruntime
        import onnxruntime

    def info(self):
        # 0 is its default: as many threads as there are cores.
        threads = onnxruntime.SessionOptions().intra_op_num_threads or 'default'
        return {'version': onnxruntime.__version__, 'engine': f'{PROVIDER}, threads: {threads}, {native.cores()}'}

    def facts(self):
        from onnxruntime.capi import onnxruntime_pybind11_state as state
        # Operators with a kernel on the CPU. ONNX has no layers, but its definitions group what neural networks are made of
        # in the folders nn and rnn; its activations are among those of mathematics.
        operators = {k.op_name for k in state.get_all_opkernel_def() if k.provider == PROVIDER and k.domain == ''}
        grouped = {s.name for s in state.get_all_operator_schema()
                   if s.domain == '' and os.path.basename(os.path.dirname(s.file)) in ('nn', 'rnn')}
        layers = sorted(grouped & operators)
        return {
            'training': hasattr(onnxruntime, 'training'), 'cnn': 'Conv' in layers, 'rnn': 'LSTM' in layers,
            'save': False, 'load': hasattr(onnxruntime, 'InferenceSession'),
            'layers': layers, 'optimizers': [], 'operators': sorted(operators),
        }

    def load(self, folder, network):
        return onnxruntime.InferenceSession(os.path.join(folder, 'model.onnx'), providers=[PROVIDER])

    def infer(self, session, x):
        return session.run(None, {session.get_inputs()[0].name: x[None]})[0][0]


native.run(OnnxRuntime)
