using Ingot.Graphs;
using Ingot.Models;

namespace Ingot.Training;

/// <summary>What pairs of answers say about a model. Rewards are β · (log p − log p of the reference model), in nats.</summary>
/// <param name="Loss">Mean of −log σ(reward of the chosen − reward of the rejected), label smoothing included.</param>
/// <param name="Accuracy">Share of pairs whose chosen answer has the higher reward.</param>
/// <param name="ChosenReward">Mean reward of the chosen answers.</param>
/// <param name="RejectedReward">Mean reward of the rejected answers.</param>
public readonly record struct PreferenceResult(double Loss, double Accuracy, double ChosenReward, double RejectedReward)
{
    /// <summary>By how much the chosen answers have the higher reward, on average.</summary>
    public double Margin => ChosenReward - RejectedReward;
}

/// <summary>
/// An optimizer step of direct preference optimisation (Rafailov et al. 2023): from pairs of answers to a prompt the model learns to
/// find the chosen one likelier than the rejected one, measured against a reference model that stays as it is. With label smoothing ε
/// it is conservative DPO (Mitchell 2023), which takes a share ε of the pairs for mislabelled.
/// <para>
/// The loss reaches the model through the log-probabilities of whole answers only. So the gradient is that of cross-entropy with a
/// weight for each answer, ±β · ((1 − ε) · σ(−margin) − ε · σ(margin)) / pairs: a forward pass gives the margins, and an ordinary pass with
/// these weights the gradient.
/// </para>
/// </summary>
public sealed class PreferenceStep : IDisposable
{
    private readonly TrainingStepOptions _options;
    private readonly double _beta;
    private readonly double _smoothing;
    private readonly TrainingStep _step;
    private readonly SequenceLikelihood _policy;
    private readonly SequenceLikelihood _reference;
    private readonly SequenceLikelihood _measured; // The policy without dropout.
    private double[] _logs = [];
    private double[] _referenceLogs = [];
    private float[] _weights = [];

    /// <summary>Prepares the programs.</summary>
    /// <param name="model">The model to train.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="referenceModel">The reference: with an adapter, the model without it.</param>
    /// <param name="referenceParameters">Its parameters: with an adapter the same store, whose base stays as it is.</param>
    /// <param name="options">Batch is the number of answers of a micro-batch, two a pair.</param>
    /// <param name="beta">β: how strongly the model is held to the reference; 0.1 is usual.</param>
    /// <param name="labelSmoothing">ε, 0 to below 0.5.</param>
    public PreferenceStep(ModelConfig model, ParameterStore parameters, ModelConfig referenceModel, ParameterStore referenceParameters,
        TrainingStepOptions options, double beta = 0.1, double labelSmoothing = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(beta);
        if (options.Batch % 2 != 0)
            throw new ArgumentException($"a batch of {options.Batch} answers is no number of pairs");
        if (labelSmoothing is not (>= 0 and < 0.5))
            throw new ArgumentException($"label smoothing {labelSmoothing} must be from 0 to below 0.5: at one half, nothing is preferred");
        if (options.HasSegments)
            throw new ArgumentException("pairs of answers are not packed: each row is one answer");
        if (referenceParameters == parameters
            && referenceModel.DeclareParameters().FirstOrDefault(p => parameters.Layout.IsTrained(p.Name)) is { } moving)
            throw new ArgumentException($"the reference model would change with the trained one: both have the parameter {moving.Name}");
        (_options, _beta, _smoothing) = (options with { HasRowWeights = true, LabelSmoothing = 0 }, beta, labelSmoothing);
        try
        {
            _step = new TrainingStep(model, parameters, _options);
            _policy = new SequenceLikelihood(model, parameters, options, dropout: true, _step.Arena);
            _reference = new SequenceLikelihood(referenceModel, referenceParameters, options, dropout: false, _step.Arena);
            _measured = new SequenceLikelihood(model, parameters, options, dropout: false, _step.Arena);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The optimizer: its second part, and the number of updates.</summary>
    public TrainingStep Step => _step;

    /// <summary>
    /// The first part of a step: forward and backward. What follows is <see cref="TrainingStep.Update"/> and
    /// <see cref="TrainingStep.Finish"/> of <see cref="Step"/>.
    /// </summary>
    /// <param name="tokens">
    /// [micro-batches · batch, length]; rows are answers with their prompts: chosen, rejected, chosen, rejected ...
    /// </param>
    /// <param name="targets">What follows each token, or the ignore index: in prompts and padding.</param>
    /// <param name="step">Number of the step, for dropout.</param>
    public PreferenceResult Begin(ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets, long step)
    {
        var rows = Score(_policy, tokens, targets, step);
        var result = Judge(rows);
        var pairs = rows / 2;
        for (var i = 0; i < pairs; i++)
        {
            var margin = MarginOf(i);
            var weight = _beta * (((1 - _smoothing) * Sigmoid(-margin)) - (_smoothing * Sigmoid(margin))) / pairs;
            (_weights[2 * i], _weights[(2 * i) + 1]) = ((float)weight, (float)-weight);
        }

        _step.Begin(tokens, targets, _weights.AsSpan(0, rows), result.Loss, step);
        return result;
    }

    /// <summary>What pairs say about the model as it is, without dropout; nothing is learnt.</summary>
    public PreferenceResult Measure(ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets) => Judge(Score(_measured, tokens, targets, 0));

    /// <inheritdoc/>
    public void Dispose()
    {
        _step?.Dispose();
        _policy?.Dispose();
        _reference?.Dispose();
        _measured?.Dispose();
    }

    /// <summary>Log-probabilities of all rows under both models.</summary>
    private int Score(SequenceLikelihood policy, ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets, long step)
    {
        var size = _options.Batch * _options.Length;
        if (tokens.Length != targets.Length || tokens.Length == 0 || tokens.Length % size != 0)
            throw new ArgumentException($"{tokens.Length} tokens and {targets.Length} targets are not a number of micro-batches of {size}");
        var (micro, rows) = (tokens.Length / size, tokens.Length / _options.Length);
        if (_logs.Length < rows)
            (_logs, _referenceLogs, _weights) = (new double[rows], new double[rows], new float[rows]);
        for (var i = 0; i < micro; i++)
        {
            var microTokens = tokens.Slice(i * size, size);
            var microTargets = targets.Slice(i * size, size);
            // The pass's number is that of the training pass, so that its dropout masks are the same.
            policy.Run(microTokens, microTargets, (step * micro) + i, _logs.AsSpan(i * _options.Batch, _options.Batch));
            _reference.Run(microTokens, microTargets, 0, _referenceLogs.AsSpan(i * _options.Batch, _options.Batch));
        }

        return rows;
    }

    private PreferenceResult Judge(int rows)
    {
        var (loss, right, chosen, rejected) = (0.0, 0, 0.0, 0.0);
        var pairs = rows / 2;
        for (var i = 0; i < pairs; i++)
        {
            var margin = MarginOf(i);
            loss += ((1 - _smoothing) * LogOnePlusExp(-margin)) + (_smoothing * LogOnePlusExp(margin));
            right += margin > 0 ? 1 : 0;
            chosen += RewardOf(2 * i);
            rejected += RewardOf((2 * i) + 1);
        }

        return new PreferenceResult(loss / pairs, (double)right / pairs, chosen / pairs, rejected / pairs);
    }

    private double RewardOf(int row) => _beta * (_logs[row] - _referenceLogs[row]);

    private double MarginOf(int pair) => RewardOf(2 * pair) - RewardOf((2 * pair) + 1);

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    /// <summary>log(1 + eˣ) = −log σ(−x), without overflow.</summary>
    private static double LogOnePlusExp(double x) => Math.Max(x, 0) + Math.Log(1 + Math.Exp(-Math.Abs(x)));
}
