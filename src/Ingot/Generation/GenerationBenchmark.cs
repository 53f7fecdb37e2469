using System.Diagnostics;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Models;

namespace Ingot.Generation;

/// <summary>What <see cref="GenerationBenchmark"/> measures.</summary>
public sealed record GenerationBenchmarkOptions
{
    /// <summary>The model; its weights are random.</summary>
    public required ModelConfig Model { get; init; }

    /// <summary>Where it is computed; the CPU if null.</summary>
    public Device? Device { get; init; }

    /// <summary>dtype of computations: F32 or Bf16.</summary>
    public DType ComputeType { get; init; } = DType.F32;

    /// <summary>Texts that are written side by side.</summary>
    public int Batch { get; init; } = 1;

    /// <summary>Tokens of each prompt.</summary>
    public int PromptTokens { get; init; } = 128;

    /// <summary>Tokens that are written after each prompt.</summary>
    public int NewTokens { get; init; } = 128;

    /// <summary>Kernel variants by op or layer/op (<see cref="KernelChoices"/>); other calls take the default.</summary>
    public IReadOnlyDictionary<string, string> Kernels { get; init; } = new Dictionary<string, string>();

    /// <summary>Also measure every call, which costs a little time.</summary>
    public bool Timed { get; init; }
}

/// <summary>Speed of generation.</summary>
/// <param name="PromptTokensPerSecond">Tokens of prompts read in a second.</param>
/// <param name="TokensPerSecond">Tokens written in a second, of all texts together: all steps, draws included.</param>
/// <param name="BestTokensPerSecond">The same by the fastest tenth of the steps: what a machine without other work reaches.</param>
/// <param name="GigabytesPerSecond">Weights read in a second at that speed: what bounds it, with few texts.</param>
/// <param name="PeakMemoryMB">Most memory of the process so far, on a GPU that of the library's buffers there, in 2^20 bytes.</param>
/// <param name="Parameters">Number of parameters.</param>
/// <param name="Calls">Time of each call of a step, if asked for.</param>
public sealed record GenerationBenchmarkResult(double PromptTokensPerSecond, double TokensPerSecond, double BestTokensPerSecond,
    double GigabytesPerSecond, double PeakMemoryMB, long Parameters, IReadOnlyList<CallInfo> Calls);

/// <summary>Measures how fast a model with random weights reads prompts and writes.</summary>
public static class GenerationBenchmark
{
    /// <summary>Runs the benchmark.</summary>
    /// <exception cref="ArgumentException">Prompt and text are longer than the model's context.</exception>
    public static GenerationBenchmarkResult Run(GenerationBenchmarkOptions options)
    {
        var model = options.Model;
        if (options.PromptTokens + options.NewTokens > model.MaxPositions)
        {
            throw new ArgumentException($"{options.PromptTokens} tokens of prompt and {options.NewTokens} new ones are more than the "
                + $"model's {model.MaxPositions} positions");
        }

        var device = options.Device ?? Device.Cpu;
        using var parameters = new ParameterStore(device, model.DeclareParameters(), options.ComputeType, training: false);
        parameters.Initialize(1);
        using var decoder = new Decoder(model, parameters) { Timed = options.Timed, Kernels = options.Kernels };
        var random = new Random(1);
        int[][] prompts = [.. Enumerable.Range(0, options.Batch)
            .Select(_ => Enumerable.Range(0, options.PromptTokens).Select(_ => random.Next(model.VocabularySize)).ToArray())];
        decoder.Reserve(options.Batch, options.PromptTokens + options.NewTokens);

        // The first compiles the programs.
        decoder.ReadPrompt(prompts[0]);
        var watch = Stopwatch.StartNew();
        foreach (var (row, prompt) in prompts.Index())
        {
            decoder.ReadPrompt(prompt);
            decoder.TakePrompt(row, prompt.Length);
        }

        var first = new int[options.Batch];
        Draw(decoder, first, 0);
        var promptSeconds = watch.Elapsed.TotalSeconds;
        var seconds = Write(decoder, first, options);
        var peak = device.Kind == DeviceKind.Cpu ? Process.GetCurrentProcess().PeakWorkingSet64 : device.GetMemory().PeakAllocated;
        var best = seconds.Order().Take(Math.Max(1, seconds.Length / 10)).Average();
        return new GenerationBenchmarkResult(
            options.Batch * options.PromptTokens / promptSeconds,
            options.Batch * seconds.Length / seconds.Sum(),
            options.Batch / best,
            parameters.ParameterCount * options.ComputeType.Size() / best / 1e9,
            peak / 1048576.0,
            parameters.ParameterCount,
            options.Timed ? decoder.StepCalls(options.Batch) : []);
    }

    /// <summary>Writes on from a first token of each row; gives the seconds of each step.</summary>
    private static double[] Write(Decoder decoder, int[] tokens, GenerationBenchmarkOptions options)
    {
        var positions = new int[options.Batch];
        var seconds = new double[options.NewTokens + 1];
        for (var i = -1; i < seconds.Length - 1; i++)
        {
            // The first step is done twice: it compiles the program.
            Array.Fill(positions, options.PromptTokens + Math.Max(0, i));
            var start = Stopwatch.GetTimestamp();
            decoder.Step(tokens, positions);
            Draw(decoder, tokens, i + 1);
            seconds[i + 1] = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        return seconds[1..];
    }

    private static void Draw(Decoder decoder, int[] tokens, long number)
    {
        var random = new (long, long)[tokens.Length];
        for (var row = 0; row < random.Length; row++)
            random[row] = (row, number);
        decoder.Draw([1, 50, 1, 0], random, tokens);
    }
}
