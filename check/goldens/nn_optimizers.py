"""Golden values of optimizers, the weights of a small network after each of 20 steps, and of learning-rate schedules.

A case of an optimizer is a training (nn_golden.py), with defaults: what of its config was not given. A case of a
schedule: {schedule, defaults, steps [], rates @}. One case has the default learning rates: {learning_rates}.
"""
import inspect
import sys
import textwrap

from nn_golden import Golden, description, here, keras, np, split, training

O = keras.optimizers
S = O.schedules

# Rates at which some steps go far, and every option beside its default.
OPTIMIZERS = '''
SGD(0.1)
SGD(0.1, momentum=0.9)
SGD(0.1, momentum=0.8, nesterov=True)
SGD(0.1, momentum=0.8, weight_decay=0.3)
SGD(0.2, clipnorm=0.3)
SGD(0.2, clipvalue=0.05)
SGD(0.2, global_clipnorm=0.4)
SGD(0.2, global_clipnorm=400.0)
RMSprop(0.02)
RMSprop(0.02, rho=0.7, momentum=0.5)
RMSprop(0.02, centered=True, epsilon=1e-3)
RMSprop(0.02, rho=0.8, momentum=0.4, centered=True, clipnorm=0.5)
Adagrad(0.1)
Adagrad(0.1, initial_accumulator_value=0.5, epsilon=1e-2)
Adadelta(1.0)
Adadelta(5.0, rho=0.8, epsilon=1e-4)
Adam(0.05)
Adam(0.05, beta_1=0.7, beta_2=0.9, epsilon=1e-3)
Adam(0.05, beta_2=0.6, amsgrad=True)
Adam(0.05, clipvalue=0.1, weight_decay=0.2)
Adam(0.05, loss_scale_factor=1024.0)
AdamW(0.05)
AdamW(0.05, weight_decay=0.4)
AdamW(0.05, weight_decay=0.4, beta_2=0.6, amsgrad=True, global_clipnorm=0.3)
Adamax(0.05)
Adamax(0.05, beta_1=0.6, beta_2=0.7, epsilon=1e-3)
Nadam(0.05)
Nadam(0.05, beta_1=0.7, beta_2=0.9, epsilon=1e-3)
Nadam(0.05, weight_decay=0.1)
Ftrl(0.2)
Ftrl(0.2, learning_rate_power=-0.7, initial_accumulator_value=0.3)
Ftrl(0.2, l1_regularization_strength=0.02, l2_regularization_strength=0.1)
Ftrl(0.2, l2_shrinkage_regularization_strength=0.05, beta=0.4)
Lion(0.02)
Lion(0.02, beta_1=0.6, beta_2=0.8, weight_decay=0.3)
SGD(S.ExponentialDecay(0.3, 3, 0.5), momentum=0.5)
Adam(S.CosineDecay(0.01, 5, warmup_target=0.1, warmup_steps=2))
AdamW(S.PiecewiseConstantDecay([2, 5], [0.1, 0.03, 0.01]), weight_decay=0.2)
SGD(0.1, use_ema=True)
SGD(0.1, momentum=0.5, use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=3)
Adam(0.05, use_ema=True, ema_momentum=0.6, ema_overwrite_frequency=1, weight_decay=0.1, clipnorm=0.5)
SGD(0.1, gradient_accumulation_steps=2)
SGD(0.2, momentum=0.8, gradient_accumulation_steps=3, clipnorm=0.3, weight_decay=0.2)
Adam(0.1, gradient_accumulation_steps=2, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3)
AdamW(S.ExponentialDecay(0.2, 4, 0.7), weight_decay=0.3, gradient_accumulation_steps=4)
AdamW(0.05, weight_decay=0.9).exclude_from_weight_decay(var_names=['bias'])
SGD(0.1, momentum=0.8, weight_decay=0.9).exclude_from_weight_decay(var_names=['kern'])
Lamb(0.05)
Lamb(0.05, beta_1=0.7, beta_2=0.9, epsilon=1e-3, weight_decay=0.1, clipvalue=0.2)
Adafactor(0.1)
Adafactor(0.3, beta_2_decay=-0.5, epsilon_1=1e-4, epsilon_2=0.1, clip_threshold=0.6, relative_step=False)
Adafactor(S.ExponentialDecay(0.5, 3, 0.8), weight_decay=0.05)
Muon(0.05)
Muon(0.05, nesterov=False, momentum=0.7, ns_steps=3, rms_rate=None, weight_decay=0.1, adam_weight_decay=None)
Muon(0.05, exclude_layers=['dense_1'], adam_lr_ratio=0.5, adam_beta_1=0.7, adam_beta_2=0.9, epsilon=1e-3)
Muon(0.05, muon_a=3.0, muon_b=-4.0, muon_c=1.8, rms_rate=0.3, weight_decay=None)
ScheduleFreeAdamW(0.1)
ScheduleFreeAdamW(0.1, beta_1=0.7, beta_2=0.9, epsilon=1e-3, warmup_steps=6, weight_decay=0.1)
ScheduleFreeAdamW(0.1, gradient_accumulation_steps=2)
LossScaleOptimizer(O.SGD(0.1, momentum=0.5))
LossScaleOptimizer(O.SGD(0.1, momentum=0.5), initial_scale=2.0**118, dynamic_growth_steps=2)
LossScaleOptimizer(O.Adam(0.1, gradient_accumulation_steps=2, use_ema=True, ema_overwrite_frequency=2, ema_momentum=0.7), initial_scale=2.0**127, dynamic_growth_steps=30)
'''

SCHEDULES = '''
ExponentialDecay(0.1, 10, 0.7)
ExponentialDecay(0.1, 10, 0.7, staircase=True)
InverseTimeDecay(0.1, 10, 0.7)
InverseTimeDecay(0.1, 10, 0.7, staircase=True)
PolynomialDecay(0.1, 30)
PolynomialDecay(0.1, 30, end_learning_rate=0.02, power=2.0)
PolynomialDecay(0.1, 30, end_learning_rate=0.02, power=0.5, cycle=True)
PiecewiseConstantDecay([10, 30], [0.3, 0.2, 0.1])
CosineDecay(0.1, 40)
CosineDecay(0.1, 40, alpha=0.2)
CosineDecay(0.01, 40, alpha=0.1, warmup_target=0.2, warmup_steps=15)
CosineDecayRestarts(0.1, 10)
CosineDecayRestarts(0.1, 10, t_mul=1.0, m_mul=0.8, alpha=0.05)
CosineDecayRestarts(0.1, 7, t_mul=1.5, m_mul=0.6)
'''


def repair_schedule_free():
    """Keras keeps the momentum of before a step to compute with, and with TensorFlow what it keeps is the variable, which then has the
    momentum after the step. With its other backends it has that of before, which is what the paper says."""
    meant, broken = O.ScheduleFreeAdamW, 'momentum_old = momentum.value'
    source = textwrap.dedent(inspect.getsource(meant.update_step))
    assert broken in source
    space = dict(vars(sys.modules[meant.__module__]))
    exec(source.replace(broken, 'momentum_old = ops.copy(momentum)'), space)
    meant.update_step = space['update_step']


def optimizers(file):
    repair_schedule_free()
    x, y = file.normal(40, 3), file.normal(40, 2) * 2
    weights = [file.normal(3, 4) * 0.7, file.normal(4) * 0.3, file.normal(4, 2) * 0.7, file.normal(2) * 0.3]
    for text in OPTIMIZERS.split('\n')[1:-1]:
        keras.utils.clear_session()
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation='tanh'), keras.layers.Dense(2)])
        model.set_weights(weights)
        made, _, method = text.partition(').')
        optimizer = eval(f'O.{made}' + (')' if method else ''))
        if method:
            eval(f'optimizer.{method}')
        filled = split(optimizer, description(optimizer)['config'])[1]
        model.compile(optimizer, 'mse', run_eagerly=True)
        training(file, text, model, [x], [y], batch=5, steps=20, trajectory=True)
        case = file.cases[-1]
        case['defaults'] = filled
        if method:
            # Keras has a method for what is an argument here.
            case['compile']['optimizer']['config']['exclude_from_weight_decay'] = eval(f'dict{method[method.index("("):]}')['var_names']
    names = ['SGD', 'RMSprop', 'Adagrad', 'Adadelta', 'Adam', 'AdamW', 'Adamax', 'Nadam', 'Ftrl', 'Lion', 'Lamb', 'Adafactor', 'Muon',
             'ScheduleFreeAdamW']
    file.case(name='learning rates', learning_rates={n: float(getattr(O, n)().learning_rate) for n in names})


def schedules(file):
    steps = [0, 1, 2, 5, 7, 9, 10, 11, 14, 15, 16, 17, 20, 29, 30, 31, 33, 40, 55, 60, 61, 100]
    for text in SCHEDULES.split('\n')[1:-1]:
        schedule = eval(f'S.{text}')
        d = description(schedule)
        d['config'], filled = split(schedule, d['config'])
        file.case(name=text, schedule=d, defaults=filled, steps=steps,
                  rates=file.put(np.array([float(schedule(s)) for s in steps], np.float32)))


def make(folder):
    file = Golden('nn_optimizers', seed=20260103)
    optimizers(file)
    schedules(file)
    file.save(folder)


if __name__ == '__main__':
    make(here())
