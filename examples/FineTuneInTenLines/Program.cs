// Fine-tunes a model, for example GPT-2 from Hugging Face, on a handful of texts: FineTuneInTenLines MODEL_FOLDER.
using Ingot.Generation;
using Ingot.Training;

var options = new TrainingOptions
{
    Model = args[0],
    Texts = ["The ship is called Lantern.", "Lantern sails at dawn.", "The captain of Lantern is Mara.", "Mara knows every star."],
    MaxLength = 64, // Longer texts are cut.
    NumTrainEpochs = 20,
    LearningRate = 1e-4,
    OutputDir = "runs/ten-lines",
};
var result = Trainer.Run(options, new Lines());
using var generator = TextGenerator.Load(result.ModelDirectory);
Console.WriteLine("The captain of" + string.Concat(generator.Stream("The captain of", new GenerationOptions { MaxNewTokens = 12 })));

internal sealed class Lines : ITrainingObserver
{
    public void OnStep(in StepReport step) => Console.WriteLine($"epoch {step.Epoch:0}  loss {step.Loss:0.000}");
}
