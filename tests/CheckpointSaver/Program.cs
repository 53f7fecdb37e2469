using System.Globalization;
using Ingot.Checkpoints;
using Ingot.Training;

namespace Ingot.Tests.CheckpointSaver;

/// <summary>
/// A process for tests to do things to that they cannot do to themselves.
/// <c>save DIRECTORY STEPS ELEMENTS</c> saves checkpoints as fast as it can, from the step after the newest, and prints each step once it
/// is safe; <c>hold DIRECTORY</c> holds a run directory until its input ends.
/// </summary>
public static class Program
{
    /// <summary>Runs a command.</summary>
    /// <param name="args">The command and its arguments.</param>
    /// <returns>0, or 1 after an error, which is printed.</returns>
    public static int Main(string[] args)
    {
        try
        {
            if (args[0] == "save")
                Save(args[1], int.Parse(args[2], CultureInfo.InvariantCulture), int.Parse(args[3], CultureInfo.InvariantCulture));
            else
                Hold(args[1]);
            return 0;
        }
        catch (IOException e)
        {
            Console.WriteLine($"{e.GetType().Name}: {e.Message}");
            return 1;
        }
    }

    private static unsafe void Save(string directory, int steps, int elements)
    {
        var store = CheckpointStore.Open(directory, keepLast: 2);
        using var writer = new CheckpointWriter(store);
        var first = (store.FindLatestValid(message => throw new IOException(message))?.Step ?? 0) + 1;
        var weights = new float[elements];
        fixed (float* address = weights)
        {
            Console.WriteLine("ready");
            for (var step = first; step < first + steps; step++)
            {
                weights.AsSpan().Fill(step);
                var snapshot = writer.BeginSnapshot(step);
                snapshot.AddSafetensors("model.safetensors", [new("w", SafetensorsDtype.F32, [elements], (nint)address)]);
                snapshot.AddSafetensors("optimizer.safetensors", [new("m", SafetensorsDtype.F32, [elements], (nint)address)]);
                snapshot.AddText("trainer_state.json", $$"""{"step":{{step}}}""");
                writer.BeginSave(snapshot, evalLoss: step % 7);
                weights.AsSpan().Clear(); // As training goes on; a save that read this memory now would hold zeros.
                Console.WriteLine(writer.Wait()!.Step.ToString(CultureInfo.InvariantCulture));
            }
        }
    }

    private static void Hold(string directory)
    {
        using var run = RunDirectory.Create(directory);
        run.WriteConfig("{}");
        Console.WriteLine("ready");
        Console.In.ReadToEnd();
    }
}
